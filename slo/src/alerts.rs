//! The alerts there are, each name once. Every one has a runbook of its name.

/// An alert of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alert {
    /// Budget burns so fast that somebody must look now.
    ErrorBudgetBurnsFast,
    /// Budget burns, and somebody should look in working hours.
    ErrorBudgetBurnsSlowly,
    /// An objective is not measured.
    ObjectiveNotMeasured,
    /// A policy entered a stage that wakes people.
    ErrorBudgetStageEntered,
    /// The operator has not evaluated objectives for a while.
    ObjectivesNotEvaluated,
    /// A plan's promise to respond or recover was missed.
    IncidentPromiseMissed,
}

impl Alert {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::ErrorBudgetBurnsFast,
        Self::ErrorBudgetBurnsSlowly,
        Self::ObjectiveNotMeasured,
        Self::ErrorBudgetStageEntered,
        Self::ObjectivesNotEvaluated,
        Self::IncidentPromiseMissed,
    ];

    /// The name, as `alertname`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ErrorBudgetBurnsFast => "ErrorBudgetBurnsFast",
            Self::ErrorBudgetBurnsSlowly => "ErrorBudgetBurnsSlowly",
            Self::ObjectiveNotMeasured => "ObjectiveNotMeasured",
            Self::ErrorBudgetStageEntered => "ErrorBudgetStageEntered",
            Self::ObjectivesNotEvaluated => "ObjectivesNotEvaluated",
            Self::IncidentPromiseMissed => "IncidentPromiseMissed",
        }
    }
}
