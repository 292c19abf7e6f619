//! Every reason a condition, event, log line or metric may carry, once.

use crate::text::{Text, text};

/// Why a condition has its status. The wire form is the variant's name.
///
/// Reasons are a closed set: scripts and runbooks key on them, so a reason is
/// added, never reworded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The operator has read the object and found it usable.
    Accepted,
    /// Objects of the tenant are being created.
    Provisioning,
    /// Everything the tenant owns is in place.
    Provisioned,
    /// Pods are being removed because `spec.lifecycle` is Suspended.
    Suspending,
    /// No pod runs; objects and data are untouched.
    Suspended,
    /// The tenant was deleted under `Retain`: access and claim are being removed.
    Releasing,
    /// The tenant was deleted under `Erase`: everything it owns is being removed.
    Erasing,
    /// `spec.planRef` names a TenantPlan that does not exist.
    PlanMissing,
    /// The namespace name is in use by something that is not this tenant.
    NamespaceTaken,
    /// The retained namespace holds data of another region.
    RegionChanged,
    /// No node or configuration serves the tenant's region.
    RegionNotServed,
    /// All nodes are in the tenant's region.
    RegionServed,
    /// Nothing proves or disproves where the tenant's pods run.
    RegionUnproven,
    /// The operator lacks a permission; the message names verb and resource.
    PermissionMissing,
    /// Some parts could not be applied; the message names each.
    PartsFailed,
    /// The stored object cannot be read by this version of the operator.
    Unreadable,
}

impl Reason {
    /// All reasons, in the order of the documentation.
    pub const ALL: [Self; 16] = [
        Self::Accepted,
        Self::Provisioning,
        Self::Provisioned,
        Self::Suspending,
        Self::Suspended,
        Self::Releasing,
        Self::Erasing,
        Self::PlanMissing,
        Self::NamespaceTaken,
        Self::RegionChanged,
        Self::RegionNotServed,
        Self::RegionServed,
        Self::RegionUnproven,
        Self::PermissionMissing,
        Self::PartsFailed,
        Self::Unreadable,
    ];

    /// The wire form: CamelCase, stable.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Provisioning => "Provisioning",
            Self::Provisioned => "Provisioned",
            Self::Suspending => "Suspending",
            Self::Suspended => "Suspended",
            Self::Releasing => "Releasing",
            Self::Erasing => "Erasing",
            Self::PlanMissing => "PlanMissing",
            Self::NamespaceTaken => "NamespaceTaken",
            Self::RegionChanged => "RegionChanged",
            Self::RegionNotServed => "RegionNotServed",
            Self::RegionServed => "RegionServed",
            Self::RegionUnproven => "RegionUnproven",
            Self::PermissionMissing => "PermissionMissing",
            Self::PartsFailed => "PartsFailed",
            Self::Unreadable => "Unreadable",
        }
    }

    /// What it means; becomes the reference page and what `hashinsight explain`
    /// says.
    pub const fn meaning(self) -> Text {
        match self {
            Self::Accepted => {
                text("The operator has read the object and can use it.", "控制器已读取该对象，可以使用。")
            }
            Self::Provisioning => text("The tenant's objects are being created.", "正在创建租户的对象。"),
            Self::Provisioned => text("Everything the tenant owns is in place.", "租户拥有的一切均已就绪。"),
            Self::Suspending => {
                text("Pods are being removed; no new pod is admitted.", "正在移除 Pod，不再接纳新的 Pod。")
            }
            Self::Suspended => {
                text("No pod runs; objects and data are untouched.", "没有 Pod 运行；对象和数据保持原样。")
            }
            Self::Releasing => text(
                "Deleted under Retain: access and claim are being removed, content stays.",
                "按 Retain 策略删除：正在撤销访问权限和占用标记，内容保留。",
            ),
            Self::Erasing => text(
                "Deleted under Erase: everything the tenant owns is being removed.",
                "按 Erase 策略删除：正在移除租户拥有的一切。",
            ),
            Self::PlanMissing => text(
                "`spec.planRef` names a TenantPlan that does not exist.",
                "`spec.planRef` 指向的 TenantPlan 不存在。",
            ),
            Self::NamespaceTaken => text(
                "The namespace exists and is not this tenant's; nothing was touched.",
                "该命名空间已存在且不属于此租户；未做任何改动。",
            ),
            Self::RegionChanged => {
                text("The retained namespace holds data of another region.", "保留的命名空间存有其他区域的数据。")
            }
            Self::RegionNotServed => text(
                "Neither nodes nor the operator's configuration serve the region.",
                "节点和控制器配置都不提供该区域。",
            ),
            Self::RegionServed => text("Every node lies in the tenant's region.", "所有节点都位于租户所在区域。"),
            Self::RegionUnproven => text(
                "Nodes carry no region label, lie in several regions, or there is none.",
                "节点没有区域标签、分布在多个区域，或尚无节点。",
            ),
            Self::PermissionMissing => text(
                "The operator may not do what the message names; all else went on.",
                "控制器没有消息中所述的权限；其余工作照常进行。",
            ),
            Self::PartsFailed => {
                text("Some parts could not be applied; all others are in place.", "部分对象未能应用，其余均已就绪。")
            }
            Self::Unreadable => {
                text("The stored object does not fit the schema of this operator.", "存储的对象与此控制器的结构不符。")
            }
        }
    }

    /// What a person does next.
    pub const fn next(self) -> Text {
        match self {
            Self::Accepted | Self::Provisioned | Self::RegionServed => text("Nothing.", "无需操作。"),
            Self::Provisioning => text("Wait; it takes seconds.", "请稍候，几秒即可完成。"),
            Self::Suspending => text(
                "Wait; a pod that does not end shows in `kubectl get pods -n <namespace>`.",
                "请稍候；无法结束的 Pod 可用 `kubectl get pods -n <namespace>` 查看。",
            ),
            Self::Suspended => {
                text("Set `spec.lifecycle: Active` to resume.", "将 `spec.lifecycle` 设为 `Active` 即可恢复。")
            }
            Self::Releasing => text(
                "Wait. Apply the same tenant again to take the content up.",
                "请稍候。再次应用同一租户即可接管原有内容。",
            ),
            Self::Erasing => text(
                "Wait; the message names what still holds the namespace.",
                "请稍候；消息中会指出是什么仍占用该命名空间。",
            ),
            Self::PlanMissing => text(
                "Apply the plan or name another; `kubectl get tenantplans` lists them.",
                "应用该套餐或改用其他套餐；`kubectl get tenantplans` 可列出现有套餐。",
            ),
            Self::NamespaceTaken => text(
                "Choose another tenant name, remove the namespace, or release it as the message says.",
                "请更换租户名称、删除该命名空间，或按消息所述将其释放。",
            ),
            Self::RegionChanged => text(
                "Apply the tenant with the region it had, or erase the retained namespace first.",
                "请用原来的区域应用该租户，或先清除保留的命名空间。",
            ),
            Self::RegionNotServed => text(
                "Choose a served region, or add nodes or `--region` for it.",
                "请选择可用的区域，或为其增加节点或 `--region` 配置。",
            ),
            Self::RegionUnproven => text(
                "Label nodes with `topology.kubernetes.io/region` if proof is wanted.",
                "如需证明，请为节点添加标签 `topology.kubernetes.io/region`。",
            ),
            Self::PermissionMissing => {
                text("Apply the shipped ClusterRole; it heals by itself.", "请应用随附的 ClusterRole，之后会自动恢复。")
            }
            Self::PartsFailed => {
                text("Read the message; it is retried with growing delay.", "请阅读消息；系统会以递增的间隔自动重试。")
            }
            Self::Unreadable => text(
                "Apply the object again with the fields this version knows.",
                "请用此版本支持的字段重新应用该对象。",
            ),
        }
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
        for reason in Reason::ALL {
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
