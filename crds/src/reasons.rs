//! Every reason a condition, event, log line or metric may carry, once: its
//! name, what it means and what a person does next.

use crate::text::{Text, text};

/// Where there is nothing to do.
const NOTHING: Text = text("Nothing.", "无需操作。");

/// One row a reason; everything else follows from the table.
macro_rules! reasons {
    ($($(#[$doc:meta])+ $name:ident { meaning: $meaning:expr, next: $next:expr, })+) => {
        /// Why a condition has its status. The wire form is the variant's name.
        ///
        /// Reasons are a closed set: scripts and runbooks key on them, so a
        /// reason is added, never reworded.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $($(#[$doc])+ $name,)+
        }

        impl Reason {
            /// All reasons, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The wire form: CamelCase, stable.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// What it means; becomes the reference page and what
            /// `hashinsight explain` says.
            pub const fn meaning(self) -> Text {
                match self { $(Self::$name => $meaning,)+ }
            }

            /// What a person does next.
            pub const fn next(self) -> Text {
                match self { $(Self::$name => $next,)+ }
            }
        }
    };
}

reasons! {
    /// The operator has read the object and found it usable.
    Accepted {
        meaning: text(
            "The operator has read the object and can use it.",
            "控制器已读取该对象，可以使用。",
        ),
        next: NOTHING,
    }
    /// Objects of the tenant are being created.
    Provisioning {
        meaning: text(
            "The tenant's objects are being created.",
            "正在创建租户的对象。",
        ),
        next: text(
            "Wait; it takes seconds.",
            "请稍候，几秒即可完成。",
        ),
    }
    /// Everything the tenant owns is in place.
    Provisioned {
        meaning: text(
            "Everything the tenant owns is in place.",
            "租户拥有的一切均已就绪。",
        ),
        next: NOTHING,
    }
    /// Pods are being removed because `spec.lifecycle` is Suspended.
    Suspending {
        meaning: text(
            "Pods are being removed; no new pod is admitted.",
            "正在移除 Pod，不再接纳新的 Pod。",
        ),
        next: text(
            "Wait; a pod that does not end shows in `kubectl get pods -n <namespace>`.",
            "请稍候；无法结束的 Pod 可用 `kubectl get pods -n <namespace>` 查看。",
        ),
    }
    /// No pod runs; objects and data are untouched.
    Suspended {
        meaning: text(
            "No pod runs; objects and data are untouched.",
            "没有 Pod 运行；对象和数据保持原样。",
        ),
        next: text(
            "Set `spec.lifecycle: Active` to resume.",
            "将 `spec.lifecycle` 设为 `Active` 即可恢复。",
        ),
    }
    /// The tenant was deleted under `Retain`: access and claim are being removed.
    Releasing {
        meaning: text(
            "Deleted under Retain: access and claim are being removed, content stays.",
            "按 Retain 策略删除：正在撤销访问权限和占用标记，内容保留。",
        ),
        next: text(
            "Wait. Apply the same tenant again to take the content up.",
            "请稍候。再次应用同一租户即可接管原有内容。",
        ),
    }
    /// The tenant was deleted under `Erase`: everything it owns is being removed.
    Erasing {
        meaning: text(
            "Deleted under Erase: everything the tenant owns is being removed.",
            "按 Erase 策略删除：正在移除租户拥有的一切。",
        ),
        next: text(
            "Wait; the message names what still holds the namespace.",
            "请稍候；消息中会指出是什么仍占用该命名空间。",
        ),
    }
    /// `spec.planRef` names a TenantPlan that does not exist.
    PlanMissing {
        meaning: text(
            "`spec.planRef` names a TenantPlan that does not exist.",
            "`spec.planRef` 指向的 TenantPlan 不存在。",
        ),
        next: text(
            "Apply the plan or name another; `kubectl get tenantplans` lists them.",
            "应用该套餐或改用其他套餐；`kubectl get tenantplans` 可列出现有套餐。",
        ),
    }
    /// The namespace name is in use by something that is not this tenant.
    NamespaceTaken {
        meaning: text(
            "The namespace exists and is not this tenant's; nothing was touched.",
            "该命名空间已存在且不属于此租户；未做任何改动。",
        ),
        next: text(
            "Choose another tenant name, remove the namespace, or release it as the message says.",
            "请更换租户名称、删除该命名空间，或按消息所述将其释放。",
        ),
    }
    /// The retained namespace holds data of another region.
    RegionChanged {
        meaning: text(
            "The retained namespace holds data of another region.",
            "保留的命名空间存有其他区域的数据。",
        ),
        next: text(
            "Apply the tenant with the region it had, or erase the retained namespace first.",
            "请用原来的区域应用该租户，或先清除保留的命名空间。",
        ),
    }
    /// No node or configuration serves the tenant's region.
    RegionNotServed {
        meaning: text(
            "Neither nodes nor the operator's configuration serve the region.",
            "节点和控制器配置都不提供该区域。",
        ),
        next: text(
            "Choose a served region, or add nodes or `--region` for it.",
            "请选择可用的区域，或为其增加节点或 `--region` 配置。",
        ),
    }
    /// All nodes are in the tenant's region.
    RegionServed {
        meaning: text(
            "Every node lies in the tenant's region.",
            "所有节点都位于租户所在区域。",
        ),
        next: NOTHING,
    }
    /// Nothing proves or disproves where the tenant's pods run.
    RegionUnproven {
        meaning: text(
            "Nodes carry no region label, lie in several regions, or there is none.",
            "节点没有区域标签、分布在多个区域，或尚无节点。",
        ),
        next: text(
            "Label nodes with `topology.kubernetes.io/region` if proof is wanted.",
            "如需证明，请为节点添加标签 `topology.kubernetes.io/region`。",
        ),
    }
    /// The operator lacks a permission; the message names verb and resource.
    PermissionMissing {
        meaning: text(
            "The operator may not do what the message names; all else went on.",
            "控制器没有消息中所述的权限；其余工作照常进行。",
        ),
        next: text(
            "Apply the shipped ClusterRole; it heals by itself.",
            "请应用随附的 ClusterRole，之后会自动恢复。",
        ),
    }
    /// Some parts could not be applied; the message names each.
    PartsFailed {
        meaning: text(
            "Some parts could not be applied; all others are in place.",
            "部分对象未能应用，其余均已就绪。",
        ),
        next: text(
            "Read the message; it is retried with growing delay.",
            "请阅读消息；系统会以递增的间隔自动重试。",
        ),
    }
    /// The stored object cannot be read by this version of the operator.
    Unreadable {
        meaning: text(
            "The stored object does not fit the schema of this operator.",
            "存储的对象与此控制器的结构不符。",
        ),
        next: text(
            "Apply the object again with the fields this version knows.",
            "请用此版本支持的字段重新应用该对象。",
        ),
    }
    /// The objective is measured and its budget computed.
    Evaluated {
        meaning: text(
            "The objective is measured and its budget computed.",
            "目标已被测量，预算已算出。",
        ),
        next: NOTHING,
    }
    /// Nothing was counted of the objective yet.
    NotMeasuredYet {
        meaning: text(
            "Nothing was counted of the objective yet.",
            "该目标尚无任何计数。",
        ),
        next: text(
            "Wait a minute; if it stays, check that Prometheus loads the rules and scrapes the service.",
            "请等待一分钟；若仍如此，请检查 Prometheus 是否加载了规则并采集该服务。",
        ),
    }
    /// The spec contradicts itself; the message names the field.
    SpecRefused {
        meaning: text(
            "The spec contradicts itself or cannot be measured; the message names the field.",
            "规格自相矛盾或无法测量；消息中指出了字段。",
        ),
        next: text(
            "Correct the named field and apply again.",
            "请更正所指字段后重新应用。",
        ),
    }
    /// `spec.budgetPolicyRef` names a policy that does not exist.
    PolicyMissing {
        meaning: text(
            "`spec.budgetPolicyRef` names an ErrorBudgetPolicy that does not exist.",
            "`spec.budgetPolicyRef` 指向的 ErrorBudgetPolicy 不存在。",
        ),
        next: text(
            "Apply the policy in the operator's namespace or name another; `kubectl get errorbudgetpolicies -A` lists them.",
            "请在控制器的命名空间中应用该策略或改用其他策略；`kubectl get errorbudgetpolicies -A` 可列出现有策略。",
        ),
    }
    /// Counts are recent.
    DataIsFresh {
        meaning: text(
            "The counts are recent.",
            "计数是最新的。",
        ),
        next: NOTHING,
    }
    /// The operator was started without a metrics source.
    SourceNotSet {
        meaning: text(
            "The operator was started without a metrics source, so nothing can be read back.",
            "控制器启动时未指定指标来源，因此无法读取计数。",
        ),
        next: text(
            "Set `prometheus.url` in the chart's values.",
            "请在 chart 的 values 中设置 `prometheus.url`。",
        ),
    }
    /// The metrics source does not answer; the last budget stands with its age.
    SourceUnreachable {
        meaning: text(
            "The metrics source does not answer; the last budget stands and the stage is held.",
            "指标来源没有响应；保留上次的预算，阶段维持不变。",
        ),
        next: text(
            "Check that Prometheus runs and that the operator reaches it; it heals by itself.",
            "请检查 Prometheus 是否运行、控制器能否访问它；恢复后会自动继续。",
        ),
    }
    /// The metrics source's answer cannot be used.
    SourceRefused {
        meaning: text(
            "The metrics source answers what cannot be used; the last budget stands and the stage is held.",
            "指标来源的回答无法使用；保留上次的预算，阶段维持不变。",
        ),
        next: text(
            "Read the message: it names what was wrong with the answer.",
            "请阅读消息：其中说明了回答的问题。",
        ),
    }
    /// Counts of earlier hours are being read.
    CatchingUp {
        meaning: text(
            "Counts of earlier hours are being read after a start.",
            "启动后正在读取先前各小时的计数。",
        ),
        next: text(
            "Wait; it takes seconds to minutes.",
            "请稍候，需要几秒到几分钟。",
        ),
    }
    /// Nothing was counted for a while.
    NotMeasured {
        meaning: text(
            "Nothing was counted for a while: the service or its metrics are gone.",
            "一段时间没有计数：服务或其指标已消失。",
        ),
        next: text(
            "See whether the service runs and Prometheus scrapes it; the runbook ObjectiveNotMeasured has the commands.",
            "请查看服务是否运行、Prometheus 是否采集它；命令见运行手册 ObjectiveNotMeasured。",
        ),
    }
    /// Budget is left.
    BudgetAvailable {
        meaning: text(
            "Error budget is left.",
            "错误预算尚有剩余。",
        ),
        next: NOTHING,
    }
    /// No budget is left in the window.
    BudgetExhausted {
        meaning: text(
            "No error budget is left in the window.",
            "窗口内的错误预算已用尽。",
        ),
        next: text(
            "Put reliability first: `hashinsight slo budget` shows who spent it.",
            "请优先保证可靠性：`hashinsight slo budget` 显示预算用在了哪里。",
        ),
    }
    /// Fewer events than `spec.minimumEvents` say nothing.
    TooFewEvents {
        meaning: text(
            "There were fewer events than `spec.minimumEvents`, which say nothing about the budget.",
            "事件数少于 `spec.minimumEvents`，不足以说明预算情况。",
        ),
        next: text(
            "Wait for traffic, or lower the minimum.",
            "请等待流量，或降低该下限。",
        ),
    }
    /// Less was measured than `spec.minimumCoveragePercent`.
    CoverageTooLow {
        meaning: text(
            "Less of the time was measured than `spec.minimumCoveragePercent` asks for.",
            "被测量的时间少于 `spec.minimumCoveragePercent` 的要求。",
        ),
        next: text(
            "Find out why metrics were missing; the time counts neither as good nor as bad.",
            "请查明指标缺失的原因；这段时间既不算好也不算坏。",
        ),
    }
    /// Nothing is to be said against the spec.
    Sound {
        meaning: text(
            "Nothing speaks against the spec.",
            "规格没有可指摘之处。",
        ),
        next: NOTHING,
    }
    /// The spec can be measured, but not as meant.
    Doubtful {
        meaning: text(
            "The spec can be measured, but perhaps not as it was meant; the message says what to look at.",
            "规格可以测量，但可能不符合本意；消息中说明了应检查之处。",
        ),
        next: text(
            "Read the message and correct the spec, or leave it if it is meant so.",
            "请阅读消息并更正规格；若本意如此，可保持不变。",
        ),
    }
    /// No bucket of the histogram ends at the threshold.
    BucketMissing {
        meaning: text(
            "The histogram has no bucket that ends at `thresholdSeconds`, so nothing can be counted.",
            "直方图没有以 `thresholdSeconds` 结尾的桶，因此无法计数。",
        ),
        next: text(
            "Choose a threshold that a bucket ends at, or add the bucket to the service.",
            "请选择与某个桶边界一致的阈值，或在服务中增加该桶。",
        ),
    }
    /// An incident nobody has taken.
    IncidentOpen {
        meaning: text(
            "An alert fires that nobody has taken.",
            "有告警正在触发，尚无人处理。",
        ),
        next: text(
            "Take it: `hashinsight incident acknowledge <name>`; its runbook says what to do.",
            "请接手：`hashinsight incident acknowledge <name>`；处理方法见其运行手册。",
        ),
    }
    /// An incident somebody has taken.
    IncidentAcknowledged {
        meaning: text(
            "Somebody has taken the incident; it is not over.",
            "事件已有人接手，尚未结束。",
        ),
        next: text(
            "Work by the runbook; the incident ends when the alert does.",
            "请按运行手册处理；告警结束时事件随之结束。",
        ),
    }
    /// An incident that is over.
    IncidentResolved {
        meaning: text(
            "The alert ended, or somebody ended the incident.",
            "告警已结束，或有人结束了该事件。",
        ),
        next: NOTHING,
    }
    /// No clock of the incident has run out.
    PromisesKept {
        meaning: text(
            "No plan's clock has run out.",
            "没有任何套餐的时限超时。",
        ),
        next: NOTHING,
    }
    /// A clock of the incident has run out.
    PromiseMissed {
        meaning: text(
            "A plan's time to respond or to recover ran out; the message says which.",
            "某个套餐的响应或恢复时限已过；消息中说明了是哪一个。",
        ),
        next: text(
            "Tell the customers of that plan, and end the incident first.",
            "请先结束事件，并告知该套餐的客户。",
        ),
    }
    /// The revision of the spec serves.
    CoreServing {
        meaning: text(
            "The revision of the spec serves all customers.",
            "spec 中的版本正在为所有客户服务。",
        ),
        next: NOTHING,
    }
    /// It serves; the version before stays as a control.
    CoreWatched {
        meaning: text(
            "The new revision serves; the version before stays as a control until the watch is over.",
            "新版本正在服务；观察期结束前，旧版本保留作对照。",
        ),
        next: NOTHING,
    }
    /// None of the pods that serve takes requests.
    CoreUnavailable {
        meaning: text(
            "The revision that serves has no pod that takes requests.",
            "正在服务的版本没有可接受请求的 Pod。",
        ),
        next: text(
            "Read why its pods wait; apply a revision that works, and promote it: `hashinsight canary promote <core>`.",
            "请查看其 Pod 为何等待；应用可用的版本并直接晋升：`hashinsight canary promote <core>`。",
        ),
    }
    /// The pods of a new revision start.
    CanaryStarting {
        meaning: text(
            "The pods of a new revision start; customers are served by the stable one.",
            "新版本的 Pod 正在启动；客户仍由稳定版服务。",
        ),
        next: text(
            "Wait; `kubectl get pods -l hashinsight.net/core=<core> -n <namespace>` shows them.",
            "请稍候；可用 `kubectl get pods -l hashinsight.net/core=<core> -n <namespace>` 查看。",
        ),
    }
    /// Its pods are asked for the golden samples.
    CanaryVerifying {
        meaning: text(
            "The pods of a new revision are asked for the golden samples, before any customer is.",
            "正在请新版本的 Pod 计算黄金样本，此前没有客户流量。",
        ),
        next: text(
            "Wait; it takes seconds.",
            "请稍候，几秒即可完成。",
        ),
    }
    /// Traffic moves to the share of a step.
    CanaryShifting {
        meaning: text(
            "Traffic moves to the share of a step.",
            "流量正在移至本步的比例。",
        ),
        next: text(
            "Wait; it takes seconds.",
            "请稍候，几秒即可完成。",
        ),
    }
    /// The requests of a step are counted.
    CanarySoaking {
        meaning: text(
            "The requests of a step are counted until they say whether the new revision may go on.",
            "正在统计本步的请求，直到足以判断新版本能否继续。",
        ),
        next: text(
            "Wait; the message says what is still needed.",
            "请稍候；消息说明还缺什么。",
        ),
    }
    /// The new revision grows to serve everybody.
    CanaryPromoting {
        meaning: text(
            "The new revision gets the full number of pods, then all traffic.",
            "新版本正扩至全部副本，随后接管全部流量。",
        ),
        next: text(
            "Wait; it takes seconds.",
            "请稍候，几秒即可完成。",
        ),
    }
    /// Traffic goes back to the stable revision.
    CanaryRollingBack {
        meaning: text(
            "Traffic goes back to the stable revision; then the new one ends.",
            "流量正在退回稳定版；随后新版本结束。",
        ),
        next: text(
            "Wait; it takes seconds.",
            "请稍候，几秒即可完成。",
        ),
    }
    /// The new revision was taken back.
    RolledBack {
        meaning: text(
            "The new revision was taken back, and is not tried again by itself; the stable one serves alone.",
            "新版本已回滚，不会自动重试；仅稳定版在服务。",
        ),
        next: text(
            "Read why in the message, and apply another revision; or, if something else was at fault, `hashinsight canary retry <core>`.",
            "请阅读消息中的原因，然后应用另一版本；若原因不在该版本，可用 `hashinsight canary retry <core>` 重试。",
        ),
    }
    /// There has been no data for too long.
    AnalysisHeld {
        meaning: text(
            "There has been no data about the new revision for too long; its share of traffic stays as it is.",
            "新版本已过久没有数据；其流量比例保持不变。",
        ),
        next: text(
            "Mend the metrics system or bring traffic; the rollout goes on by itself.",
            "请修复指标系统或引入流量；发布会自行继续。",
        ),
    }
    /// Only fixes may be released now.
    ReleaseFrozen {
        meaning: text(
            "A policy or a notice allows nothing but fixes now; the new revision waits.",
            "当前策略或公告只允许修复类发布；新版本等待。",
        ),
        next: text(
            "Wait, or mark the change as Fix or Security by the annotation hashinsight.net/change-class.",
            "请等待，或用注解 hashinsight.net/change-class 将该变更标为 Fix 或 Security。",
        ),
    }
    /// A person holds the rollout where it is.
    CanaryPaused {
        meaning: text(
            "A person holds the rollout where it is; what is bad is still taken back.",
            "发布已被人工暂停；若版本有问题仍会回滚。",
        ),
        next: text(
            "Resume it: `hashinsight canary resume <core> -n <namespace>`; or abort or promote it.",
            "恢复发布：`hashinsight canary resume <core> -n <namespace>`；也可中止或直接晋升。",
        ),
    }
    /// An action was done.
    ActionDone {
        meaning: text("The action was done.", "该操作已执行。"),
        next: NOTHING,
    }
    /// An action does not fit where the rollout stands.
    ActionRefused {
        meaning: text(
            "The action does not fit where the rollout stands, and is not done.",
            "该操作与发布当前状态不符，未执行。",
        ),
        next: text(
            "Read why in the message; `hashinsight canary watch <core>` shows where the rollout stands. Make another action.",
            "请阅读消息中的原因；`hashinsight canary watch <core>` 显示发布所处状态。然后另建操作。",
        ),
    }
    /// An action ran out before it could be done.
    ActionExpired {
        meaning: text(
            "The action ran out before it could be done, and is not done.",
            "该操作在执行前已过期，未执行。",
        ),
        next: text("Make another one, if it is still wanted.", "如仍需要，请另建操作。"),
    }
    /// An objective cannot judge a single revision.
    ObjectiveUnusable {
        meaning: text(
            "An objective that the rollout is judged by is missing, or cannot be counted for one revision.",
            "发布所依据的某个目标缺失，或无法按单个版本统计。",
        ),
        next: text(
            "Name objectives that count events or latency, without a matcher of the label revision.",
            "请改用统计事件或延迟、且未限定 revision 标签的目标。",
        ),
    }
    /// The gateway splits traffic by weights.
    TrafficByWeight {
        meaning: text(
            "The gateway splits traffic by weights.",
            "网关按权重分配流量。",
        ),
        next: NOTHING,
    }
    /// Traffic is split by the number of pods.
    TrafficByReplicas {
        meaning: text(
            "Traffic is split by the number of pods: no route is asked for.",
            "流量按 Pod 数量分配：未要求路由。",
        ),
        next: NOTHING,
    }
    /// No gateway has taken the route.
    RouteRefused {
        meaning: text(
            "No gateway has taken the route as it is now, or the cluster serves no Gateway API.",
            "没有网关接受当前的路由，或集群未提供 Gateway API。",
        ),
        next: text(
            "Look at the gateway that spec.route names; it heals by itself once that takes the route.",
            "请检查 spec.route 指定的网关；其接受路由后自行恢复。",
        ),
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn reasons_are_distinct_camel_case_and_told() {
        let names: BTreeSet<_> = Reason::ALL.iter().map(|r| r.as_str()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
        for &reason in Reason::ALL {
            let name = reason.as_str();
            assert_eq!(name, format!("{reason:?}"));
            assert!(name.starts_with(|c: char| c.is_ascii_uppercase()));
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric()));
            let (what, next) = (reason.meaning(), reason.next());
            assert!(what.en.ends_with('.') && next.en.ends_with('.'), "{name}");
            assert!(what.zh.ends_with('。') && next.zh.ends_with('。'), "{name}");
        }
    }
}
