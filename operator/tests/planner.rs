//! Properties of the pure planner, on a model of the cluster that executes
//! its steps: whatever is found, and wherever a run is cut short, the next
//! runs converge to one end and then have nothing to do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says where")]
#![allow(clippy::disallowed_methods, reason = "tests read files and clocks")]

use std::collections::{BTreeMap, BTreeSet};

use hashinsight_crds::conditions::ConditionStatus;
use hashinsight_crds::names::{ANNOTATION_CLAIM, LABEL_REGION, LABEL_RELEASED, LABEL_TENANT, LABEL_TENANT_ID};
use hashinsight_crds::tenant::{
    DeletionPolicy, Lifecycle, Member, MemberKind, PlanRef, QuotaOverrides, Role, TenantState,
};
use hashinsight_crds::tenant_plan::{Quotas, Response, TenantPlanSpec};
use hashinsight_crds::{Reason, TenantSpec, TenantStatus};
use hashinsight_operator::error::Class;
use hashinsight_operator::tenant::conclude::{Failure, conclude, differs, transition};
use hashinsight_operator::tenant::part::Part;
use hashinsight_operator::tenant::plan::{Observed, Plan, Step, plan};
use hashinsight_operator::tenant::region::Regions;
use hashinsight_operator::tenant::removal::{Effect, FreshNamespace, plan_removal};
use hashinsight_operator::tenant::seen::{ChildSeen, NamespaceSeen};
use hashinsight_operator::tenant::valid::{Identity, ValidTenant};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

const UID: &str = "11111111-2222-3333-4444-555555555555";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn identity() -> Identity {
    Identity {
        name: "acme".into(),
        uid: UID.into(),
        generation: 3,
        resource_version: "9".into(),
        namespace: "tenant-acme".into(),
        finalizers: vec!["hashinsight.net/tenant".into()],
        deleting: false,
    }
}

fn tenant(members: Vec<Member>, lifecycle: Lifecycle, miners: Option<i32>) -> ValidTenant {
    ValidTenant {
        who: identity(),
        spec: TenantSpec {
            display_name: "Acme".into(),
            plan_ref: PlanRef { name: "standard".into() },
            region: "eu".into(),
            lifecycle,
            deletion_policy: DeletionPolicy::Retain,
            quotas: Some(QuotaOverrides { miners, ..QuotaOverrides::default() }),
            members,
        },
        before: TenantStatus::default(),
    }
}

fn standard() -> TenantPlanSpec {
    TenantPlanSpec {
        display_name: "Standard".into(),
        quotas: Quotas {
            sites: 2,
            miners: 100,
            requests_per_minute: 60,
            cpu: "0.5".into(),
            memory: "1Gi".into(),
            pods: 5,
        },
        response: Response { respond_minutes: 60, recover_minutes: 240 },
    }
}

/// What a cluster would hold, executed from steps.
#[derive(Clone, Debug, PartialEq)]
struct World {
    namespace: Option<Value>,
    children: BTreeMap<Part, Value>,
    pods: u32,
    version: u64,
}

impl World {
    fn empty() -> Self {
        Self { namespace: None, children: BTreeMap::new(), pods: 0, version: 1 }
    }

    fn observe(&self, has_plan: bool) -> Observed {
        Observed {
            namespace: Ok(self
                .namespace
                .as_ref()
                .map(|ns| NamespaceSeen::of(&serde_json::from_value(ns["metadata"].clone()).unwrap()))),
            plan: has_plan.then(standard),
            children: Part::ALL
                .into_iter()
                .map(|part| {
                    let seen = self.children.get(&part).map(|object| {
                        let mut object = object.clone();
                        if part == Part::Quota {
                            let pods = self.pods.to_string();
                            object["status"] = json!({"hard": object["spec"]["hard"], "used": {"pods": pods}});
                        }
                        ChildSeen::of(&serde_json::from_value(object).unwrap(), part)
                    });
                    (part, Ok(seen))
                })
                .collect(),
            regions: Regions { configured: BTreeSet::new(), nodes: Ok(BTreeMap::new()) },
            system_namespace: "hashinsight-system".into(),
        }
    }

    fn stamp(&mut self, object: &mut Value, uid: &str) {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = json!(uid);
        }
    }

    fn execute(&mut self, step: &Step) {
        match step {
            Step::CreateNamespace(object) => {
                assert!(self.namespace.is_none(), "create fails on an existing namespace");
                let mut object = object.clone();
                self.stamp(&mut object, "ns");
                self.namespace = Some(object);
            }
            Step::ClaimNamespace(change) | Step::ApplyNamespace(change) => {
                let mut object = self.namespace.clone().expect("a namespace to change");
                if let Some(seen) = change.pointer("/metadata/resourceVersion") {
                    assert_eq!(*seen, object["metadata"]["resourceVersion"], "compare-and-swap");
                }
                for section in ["labels", "annotations"] {
                    for (key, value) in change["metadata"][section].as_object().into_iter().flatten() {
                        object["metadata"][section][key] = value.clone();
                    }
                }
                if let Some(labels) = object["metadata"]["labels"].as_object_mut() {
                    labels.retain(|_, v| !v.is_null());
                }
                if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
                    annotations.retain(|_, v| !v.is_null());
                }
                self.stamp(&mut object, "ns");
                self.namespace = Some(object);
            }
            Step::Apply(part, object) | Step::Replace(part, _, object) => {
                let mut object = object.clone();
                self.stamp(&mut object, "child");
                self.children.insert(*part, object);
            }
            Step::Delete(part, _) => drop(self.children.remove(part)),
            Step::DeletePods => self.pods = 0,
        }
    }

    /// Plans and executes until nothing is left to do; the last plan.
    fn settle(&mut self, tenant: &mut ValidTenant, has_plan: bool) -> Plan {
        for _ in 0..5 {
            let plan = plan(tenant, &self.observe(has_plan));
            for step in &plan.steps {
                self.execute(step);
            }
            tenant.before = conclude(tenant, &plan, &[], at(100));
            if plan.steps.is_empty() {
                return plan;
            }
        }
        panic!("did not settle: {self:?}");
    }

    /// Content without versions, which tell how often, not what.
    fn content(&self) -> Value {
        let mut all = json!([self.namespace, self.children.values().collect::<Vec<_>>(), self.pods]);
        strip(&mut all);
        all
    }
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.remove("resourceVersion");
            map.remove("uid");
            map.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

fn members() -> impl Strategy<Value = Vec<Member>> {
    let member = (0..4_usize, any::<bool>(), 0..5_u8).prop_map(|(role, user, n)| Member {
        role: Role::ALL[role],
        kind: if user { MemberKind::User } else { MemberKind::Group },
        name: format!("m{n}"),
    });
    proptest::collection::btree_set(member, 0..6).prop_map(|set| set.into_iter().collect())
}

fn tenants() -> impl Strategy<Value = ValidTenant> {
    let lifecycle = prop_oneof![Just(Lifecycle::Active), Just(Lifecycle::Suspended)];
    (members(), lifecycle, proptest::option::of(1..1000_i32)).prop_map(|(m, l, q)| tenant(m, l, q))
}

/// What a foreign hand may do between two runs.
#[derive(Clone, Debug)]
enum Tamper {
    DeleteChild(usize),
    ChangeChild(usize),
    Misbuild(usize),
    DropClaim,
    ForgeId,
    DropLabels,
    DeleteAll,
    AddPods(u32),
}

fn tampering() -> impl Strategy<Value = Tamper> {
    prop_oneof![
        (0..8_usize).prop_map(Tamper::DeleteChild),
        (0..8_usize).prop_map(Tamper::ChangeChild),
        (0..8_usize).prop_map(Tamper::Misbuild),
        Just(Tamper::DropClaim),
        Just(Tamper::ForgeId),
        Just(Tamper::DropLabels),
        Just(Tamper::DeleteAll),
        (1..4_u32).prop_map(Tamper::AddPods),
    ]
}

impl World {
    fn tamper(&mut self, tamper: &Tamper) {
        let namespace = |world: &mut Self, section: &str, key: &str, value: Value| {
            if let Some(ns) = &mut world.namespace {
                ns["metadata"][section][key] = value;
            }
        };
        match tamper {
            Tamper::DeleteChild(n) => drop(self.children.remove(&Part::ALL[*n])),
            Tamper::ChangeChild(n) => {
                if let Some(object) = self.children.get_mut(&Part::ALL[*n]) {
                    object["metadata"]["labels"][LABEL_TENANT] = json!("forged");
                    object["spec"] = json!({"hard": {"pods": "999"}, "podSelector": {}, "limits": []});
                }
            }
            Tamper::Misbuild(n) => {
                let part = Part::ALL[*n];
                match (self.children.get_mut(&part), part) {
                    (Some(object), Part::Access(_)) => object["roleRef"] = json!({"name": "cluster-admin"}),
                    (Some(object), Part::Quota) => object["spec"]["scopes"] = json!(["BestEffort"]),
                    _ => {}
                }
            }
            Tamper::DropClaim => namespace(self, "annotations", ANNOTATION_CLAIM, json!("")),
            Tamper::ForgeId => namespace(self, "labels", LABEL_TENANT_ID, json!("forged")),
            Tamper::DropLabels => {
                if let Some(ns) = &mut self.namespace {
                    ns["metadata"]["labels"] = json!({});
                }
            }
            Tamper::DeleteAll => {
                self.namespace = None;
                self.children.clear();
                self.pods = 0;
            }
            Tamper::AddPods(n) => self.pods = *n,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_settled_tenant_needs_nothing_and_says_why(mut tenant in tenants()) {
        let mut world = World::empty();
        let plan = world.settle(&mut tenant, true);
        let reason = match tenant.spec.lifecycle {
            Lifecycle::Active => Reason::Provisioned,
            Lifecycle::Suspended => Reason::Suspended,
        };
        prop_assert_eq!(plan.verdict.reason, reason);
        prop_assert_eq!(plan.verdict.ready, ConditionStatus::True);
        let roles: BTreeSet<Role> = tenant.spec.members.iter().map(|m| m.role).collect();
        let bound: BTreeSet<Role> = world.children.keys().filter_map(|p| if let Part::Access(r) = p { Some(*r) } else { None }).collect();
        prop_assert_eq!(roles, bound, "a binding exactly for the roles somebody has");
        prop_assert!(world.children.len() <= 8);
    }

    #[test]
    fn wherever_a_run_is_cut_short_the_end_is_the_same(reference in tenants(), cut in 0..12_usize, again in 0..12_usize) {
        let mut whole = World::empty();
        whole.settle(&mut reference.clone(), true);
        let (mut world, mut tenant) = (World::empty(), reference);
        for cut in [cut, again] {
            let plan = plan(&tenant, &world.observe(true));
            for step in plan.steps.iter().take(cut) {
                world.execute(step);
            }
        }
        world.settle(&mut tenant, true);
        prop_assert_eq!(world.content(), whole.content());
    }

    #[test]
    fn tampering_is_undone(mut tenant in tenants(), tampers in proptest::collection::vec(tampering(), 1..4)) {
        let mut world = World::empty();
        world.settle(&mut tenant, true);
        let before = world.content();
        let both_marks = tampers.iter().any(|t| matches!(t, Tamper::ForgeId | Tamper::DropLabels))
            && tampers.iter().any(|t| matches!(t, Tamper::DropClaim));
        prop_assume!(!both_marks);
        let pods = tampers.iter().any(|t| matches!(t, Tamper::AddPods(_)));
        for tamper in &tampers {
            world.tamper(tamper);
        }
        world.settle(&mut tenant, true);
        if !pods || tenant.spec.lifecycle == Lifecycle::Suspended {
            prop_assert_eq!(world.content(), before);
        }
    }

    #[test]
    fn a_namespace_without_our_marks_is_never_touched(tenant in tenants(), labelled in any::<bool>(), claimed in any::<bool>(), released in any::<bool>()) {
        let mut meta = json!({"name": "tenant-acme", "uid": "x", "resourceVersion": "5", "labels": {}, "annotations": {}});
        if labelled { meta["labels"][LABEL_TENANT] = json!("acme"); }
        if claimed { meta["annotations"][ANNOTATION_CLAIM] = json!("another"); }
        if released { meta["labels"][LABEL_RELEASED] = json!("true"); }
        let takeable = released && labelled && !claimed;
        let world = World { namespace: Some(json!({"metadata": meta})), ..World::empty() };
        let plan = plan(&tenant, &world.observe(true));
        if takeable {
            prop_assert!(matches!(plan.steps[0], Step::ClaimNamespace(_)));
        } else {
            prop_assert_eq!(plan.verdict.reason, Reason::NamespaceTaken);
            prop_assert!(plan.steps.is_empty() && plan.verdict.stalled);
        }
    }

    #[test]
    fn a_removal_ends_access_first_and_spares_what_is_not_ours(erase in any::<bool>(), began in any::<bool>(), ours in any::<bool>(), terminating in any::<bool>()) {
        let policy = if erase { DeletionPolicy::Erase } else { DeletionPolicy::Retain };
        let before = TenantStatus {
            state: began.then(|| TenantState::Erasing { since: Time(at(1)) }),
            ..TenantStatus::default()
        };
        let claim = if ours { UID } else { "another" };
        let mut meta = json!({"name": "tenant-acme", "uid": "ns", "resourceVersion": "5", "annotations": {ANNOTATION_CLAIM: claim}});
        if terminating { meta["deletionTimestamp"] = json!("2026-01-01T00:00:00Z"); }
        let namespace = FreshNamespace { seen: NamespaceSeen::of(&serde_json::from_value(meta).unwrap()), remaining: vec![] };
        let removal = plan_removal(&identity(), policy, &before, Some(&namespace), at(5));
        let erasing = erase || began;
        prop_assert_eq!(matches!(removal.state, TenantState::Erasing { .. }), erasing, "an erasure is never turned back");
        if !ours || terminating {
            prop_assert!(removal.effects.is_empty());
            prop_assert_eq!(removal.finished, !(terminating && erasing && ours));
        } else {
            let access: Vec<usize> = (0..removal.effects.len()).filter(|i| matches!(removal.effects[*i], Effect::Delete(Part::Access(_)))).collect();
            prop_assert_eq!(access, vec![0, 1, 2, 3]);
            let last = removal.effects.last().unwrap();
            prop_assert_eq!(matches!(last, Effect::DeleteNamespace(uid) if uid == "ns"), erasing);
            prop_assert_eq!(matches!(last, Effect::Release(_)), !erasing);
        }
    }

    #[test]
    fn saying_the_same_again_is_no_write(mut tenant in tenants(), later in 101..100_000_i64) {
        let mut world = World::empty();
        let plan = world.settle(&mut tenant, true);
        let again = conclude(&tenant, &plan, &[], at(later));
        prop_assert!(!differs(&tenant.before, &again), "time alone changes nothing");
        prop_assert!(transition(&tenant.before.conditions, &again.conditions).is_none());
    }
}

#[test]
fn a_region_that_moved_stops_everything_but_what_is_there() {
    let mut world = World::empty();
    let mut tenant = tenant(vec![], Lifecycle::Active, None);
    world.settle(&mut tenant, true);
    let mut moved = world.clone();
    moved.namespace.as_mut().unwrap()["metadata"]["labels"][LABEL_RELEASED] = json!("true");
    moved.namespace.as_mut().unwrap()["metadata"]["annotations"] = json!({});
    moved.namespace.as_mut().unwrap()["metadata"]["labels"][LABEL_REGION] = json!("us");
    tenant.before = TenantStatus::default();
    let plan = plan(&tenant, &moved.observe(true));
    assert_eq!(plan.verdict.reason, Reason::RegionChanged);
    assert!(plan.steps.is_empty());
}

#[test]
fn failures_are_told_part_by_part_and_do_not_unmake_a_tenant() {
    let mut world = World::empty();
    let mut tenant = tenant(vec![], Lifecycle::Active, None);
    let settled = world.settle(&mut tenant, true);
    let failure = |what, class, clause: &str| Failure { what, class, clause: clause.into() };
    let forbidden = failure("limits", Class::Forbidden, "may not patch limitranges.core");
    let broken = failure("quota", Class::Transient, "cannot apply resourcequotas: no answer within 20 s");
    let ready = |failures: &[Failure]| {
        let status = conclude(&tenant, &settled, failures, at(200));
        assert!(matches!(status.state, Some(TenantState::Active { .. })), "it was provisioned");
        assert_eq!(status.namespace.as_deref(), Some("tenant-acme"));
        status.conditions[0].clone()
    };
    let one = ready(std::slice::from_ref(&forbidden));
    assert_eq!((one.status.as_str(), one.reason.as_str()), ("False", "PermissionMissing"));
    let both = ready(&[forbidden, broken]);
    assert_eq!(both.reason, "PartsFailed");
    assert!(
        both.message.contains("limits: may not patch") && both.message.contains("quota: cannot apply"),
        "{}",
        both.message
    );
}
