//! Runbooks: what to do about every alert, and about every reason that stops
//! something or takes something away. The pages lie beside this file, in
//! English and Chinese; they are compiled in, so that they can be read where
//! there is no network.

mod page;

use hashinsight_crds::Reason;
use hashinsight_crds::text::Language;
use hashinsight_slo::alerts::Alert;

/// One row a page.
macro_rules! runbooks {
    ($($name:ident,)+) => {
        /// A page, by its name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "the pages say what they are about")]
        pub enum Runbook { $($name,)+ }

        impl Runbook {
            /// All of them: alerts first, then reasons, then chores.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The name, as in the address and in `hashinsight runbook NAME`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// The page as Markdown.
            pub const fn text(self, language: Language) -> &'static str {
                match (self, language) {
                    $(
                        (Self::$name, Language::English) => include_str!(concat!("../en/", stringify!($name), ".md")),
                        (Self::$name, Language::Chinese) => include_str!(concat!("../zh/", stringify!($name), ".md")),
                    )+
                }
            }
        }
    };
}

runbooks! {
    ErrorBudgetBurnsFast,
    ErrorBudgetBurnsSlowly,
    ObjectiveNotMeasured,
    ErrorBudgetStageEntered,
    ObjectivesNotEvaluated,
    IncidentPromiseMissed,
    PlanMissing,
    NamespaceTaken,
    RegionChanged,
    RegionNotServed,
    PermissionMissing,
    PartsFailed,
    Unreadable,
    SpecRefused,
    PolicyMissing,
    SourceNotSet,
    SourceUnreachable,
    SourceRefused,
    NotMeasured,
    BudgetExhausted,
    BucketMissing,
    CoverageTooLow,
    TooFewEvents,
    Doubtful,
    PromiseMissed,
    RolledBack,
    AnalysisHeld,
    ObjectiveUnusable,
    ReleaseFrozen,
    RouteRefused,
    CoreUnavailable,
    CanaryPaused,
    ActionRefused,
    ActionExpired,
    ScaleCalculationCore,
}

impl Runbook {
    /// What to do when `alert` fires.
    pub const fn of_alert(alert: Alert) -> Self {
        match alert {
            Alert::ErrorBudgetBurnsFast => Self::ErrorBudgetBurnsFast,
            Alert::ErrorBudgetBurnsSlowly => Self::ErrorBudgetBurnsSlowly,
            Alert::ObjectiveNotMeasured => Self::ObjectiveNotMeasured,
            Alert::ErrorBudgetStageEntered => Self::ErrorBudgetStageEntered,
            Alert::ObjectivesNotEvaluated => Self::ObjectivesNotEvaluated,
            Alert::IncidentPromiseMissed => Self::IncidentPromiseMissed,
        }
    }

    /// What to do about `reason`; `None` where all is well or under way. A new
    /// reason must be decided on here.
    pub const fn of_reason(reason: Reason) -> Option<Self> {
        Some(match reason {
            Reason::PlanMissing => Self::PlanMissing,
            Reason::NamespaceTaken => Self::NamespaceTaken,
            Reason::RegionChanged => Self::RegionChanged,
            Reason::RegionNotServed => Self::RegionNotServed,
            Reason::PermissionMissing => Self::PermissionMissing,
            Reason::PartsFailed => Self::PartsFailed,
            Reason::Unreadable => Self::Unreadable,
            Reason::SpecRefused => Self::SpecRefused,
            Reason::PolicyMissing => Self::PolicyMissing,
            Reason::SourceNotSet => Self::SourceNotSet,
            Reason::SourceUnreachable => Self::SourceUnreachable,
            Reason::SourceRefused => Self::SourceRefused,
            Reason::NotMeasured => Self::NotMeasured,
            Reason::BudgetExhausted => Self::BudgetExhausted,
            Reason::BucketMissing => Self::BucketMissing,
            Reason::CoverageTooLow => Self::CoverageTooLow,
            Reason::TooFewEvents => Self::TooFewEvents,
            Reason::Doubtful => Self::Doubtful,
            Reason::PromiseMissed => Self::PromiseMissed,
            Reason::RolledBack => Self::RolledBack,
            Reason::AnalysisHeld => Self::AnalysisHeld,
            Reason::ObjectiveUnusable => Self::ObjectiveUnusable,
            Reason::ReleaseFrozen => Self::ReleaseFrozen,
            Reason::RouteRefused => Self::RouteRefused,
            Reason::CoreUnavailable => Self::CoreUnavailable,
            Reason::CanaryPaused => Self::CanaryPaused,
            Reason::ActionRefused => Self::ActionRefused,
            Reason::ActionExpired => Self::ActionExpired,
            Reason::Accepted
            | Reason::Provisioning
            | Reason::Provisioned
            | Reason::Suspending
            | Reason::Suspended
            | Reason::Releasing
            | Reason::Erasing
            | Reason::RegionServed
            | Reason::RegionUnproven
            | Reason::Evaluated
            | Reason::NotMeasuredYet
            | Reason::DataIsFresh
            | Reason::CatchingUp
            | Reason::BudgetAvailable
            | Reason::Sound
            | Reason::IncidentOpen
            | Reason::IncidentAcknowledged
            | Reason::IncidentResolved
            | Reason::PromisesKept
            | Reason::CoreServing
            | Reason::CoreWatched
            | Reason::CanaryStarting
            | Reason::CanaryVerifying
            | Reason::CanaryShifting
            | Reason::CanarySoaking
            | Reason::CanaryPromoting
            | Reason::CanaryRollingBack
            | Reason::ActionDone
            | Reason::TrafficByWeight
            | Reason::TrafficByReplicas => return None,
        })
    }

    /// By its name, however it is capitalized.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|page| page.name().eq_ignore_ascii_case(name))
    }

    /// The first sentence of its meaning, for lists.
    pub fn about(self, language: Language) -> &'static str {
        let text = self.text(language);
        let meaning = text.split("\n## ").nth(1).and_then(|section| section.split_once("\n\n"));
        let meaning = meaning.map_or("", |(_, body)| body.trim());
        let end = meaning.find(['.', '。', ':', '：', '\n']).unwrap_or(meaning.len());
        meaning.get(..end).unwrap_or(meaning)
    }

    /// Every command of the page, in order, with its places to fill in.
    pub fn commands(self, language: Language) -> Vec<&'static str> {
        let mut inside = false;
        let lines = self.text(language).lines().filter(|line| {
            let fence = line.starts_with("```");
            inside ^= fence;
            inside && !fence && !line.is_empty()
        });
        lines.collect()
    }

    /// The test that ran its commands; `None` where nobody did.
    pub fn rehearsed(self) -> Option<&'static str> {
        let last = self.text(Language::English).trim_end().lines().next_back()?;
        last.strip_prefix('`')?.strip_suffix('`')
    }

    /// The page as HTML.
    pub fn html(self, language: Language) -> String {
        page::of(self, language)
    }
}

/// All pages as a list in HTML.
pub fn index(language: Language) -> String {
    page::index(language)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECTIONS: [[&str; 6]; 2] = [
        ["Meaning", "Impact", "Diagnosis", "Mitigation", "Prevention", "Last rehearsed"],
        ["含义", "影响", "诊断", "处置", "预防", "最近演练"],
    ];

    #[test]
    fn every_page_has_every_section_in_both_languages() {
        for page in Runbook::ALL {
            for (language, sections) in Language::ALL.into_iter().zip(SECTIONS) {
                let text = page.text(language);
                assert!(text.starts_with(&format!("# {}\n", page.name())), "{}", page.name());
                let found: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
                assert_eq!(found, sections, "{} {language:?}", page.name());
                for section in text.split("\n## ").skip(1) {
                    let body = section.split_once('\n').map_or("", |(_, body)| body.trim());
                    assert!(body.chars().count() >= 5, "{} {language:?}: {section}", page.name());
                }
                assert!(page.about(language).chars().count() > 6, "{}", page.name());
            }
            let commands = Language::ALL.map(|language| page.commands(language));
            assert_eq!(commands[0], commands[1], "{}: the same commands in both languages", page.name());
            assert!(!commands[0].is_empty(), "{}", page.name());
        }
    }

    #[test]
    fn names_are_those_of_alerts_and_reasons() {
        for alert in Alert::ALL {
            assert_eq!(Runbook::of_alert(alert).name(), alert.name());
        }
        for reason in Reason::ALL {
            if let Some(page) = Runbook::of_reason(*reason) {
                assert_eq!(page.name(), reason.as_str());
            }
        }
        assert_eq!(Runbook::named("planmissing"), Some(Runbook::PlanMissing));
        assert_eq!(Runbook::named("no such"), None);
    }

    #[test]
    fn no_file_lies_beside_the_index() {
        for language in ["en", "zh"] {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(language);
            let files = std::fs::read_dir(folder).unwrap().count();
            assert_eq!(files, Runbook::ALL.len());
        }
    }
}
