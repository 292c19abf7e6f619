//! What is let through for a while: by name, with an owner, a reason and a day
//! on which it ends. One that is vague or over lets nothing through, and is
//! told of.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::checks::CheckId;
use crate::words::{Said, said};

/// Days a waiver may last.
const LONGEST_DAYS: i64 = 180;
/// Characters of a reason.
const SHORTEST_REASON: usize = 15;

/// A file of waivers alone.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaiverFile {
    /// Each.
    pub waivers: Vec<Waiver>,
}

/// A waiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// The check whose finding is let through.
    pub check: CheckId,
    /// Its finding's id, whole.
    pub finding: String,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// The last day (UTC) on which it holds.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub expires: Date,
}

/// How a waiver stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Standing {
    /// It holds.
    Holds,
    /// It is over.
    Expired,
    /// It does not say enough to hold.
    Vague,
}

impl Standing {
    /// As people read it.
    pub fn told(self) -> Said {
        match self {
            Self::Holds => said("Holds", "有效"),
            Self::Expired => said("Expired", "已到期"),
            Self::Vague => said("Vague", "不充分"),
        }
    }
}

impl Waiver {
    /// How it stands at a time, and why.
    pub fn standing(&self, at: Timestamp) -> (Standing, Said) {
        if let Some(why) = self.vague(at) {
            return (Standing::Vague, why);
        }
        let today = at.to_zoned(TimeZone::UTC).date();
        let expires = self.expires;
        if today > expires {
            return (Standing::Expired, said(format!("it ended on {expires}"), format!("已于 {expires} 到期")));
        }
        (Standing::Holds, said(format!("holds to the end of {expires}, UTC"), format!("有效至 {expires}（UTC）")))
    }

    fn vague(&self, at: Timestamp) -> Option<Said> {
        let finding = self.finding.trim();
        let words = self.reason.trim();
        let is_far = at.to_zoned(TimeZone::UTC).date().checked_add(Span::new().days(LONGEST_DAYS));
        if !self.check.is_waivable() {
            return Some(said("findings of this check cannot be waived", "此检查的结果不能豁免"));
        }
        if finding.is_empty() || finding.contains(['*', '?']) {
            return Some(said("it names no single finding", "没有指明单个结果"));
        }
        if self.owner.trim().is_empty() {
            return Some(said("nobody answers for it: owner is empty", "没有负责人：owner 为空"));
        }
        if words.chars().count() < SHORTEST_REASON {
            return Some(said("its reason is shorter than 15 characters", "理由少于 15 个字符"));
        }
        if is_far.is_ok_and(|far| self.expires > far) {
            return Some(said("it ends more than 180 days from now", "到期日超过 180 天"));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_dated_and_reasoned_one_holds() {
        let waiver = Waiver {
            check: CheckId::Vulnerabilities,
            finding: "CVE-2026-1".into(),
            owner: "ada@acme.example".into(),
            reason: "not reachable: the parser is not used".into(),
            expires: "2026-12-31".parse().unwrap(),
        };
        let at = |time: &str| time.parse().unwrap();
        assert_eq!(waiver.standing(at("2026-12-31T23:59:59Z")).0, Standing::Holds);
        assert_eq!(waiver.standing(at("2027-01-01T00:00:00Z")).0, Standing::Expired);
        let vague = |change: fn(&mut Waiver)| {
            let mut vague = waiver.clone();
            change(&mut vague);
            vague.standing(at("2026-12-01T00:00:00Z")).0
        };
        assert_eq!(vague(|w| w.finding = "CVE-*".into()), Standing::Vague);
        assert_eq!(vague(|w| w.owner = " ".into()), Standing::Vague);
        assert_eq!(vague(|w| w.reason = "later".into()), Standing::Vague);
        assert_eq!(vague(|w| w.expires = "2028-01-01".parse().unwrap()), Standing::Vague);
        assert_eq!(vague(|w| w.check = CheckId::GoldenSamples), Standing::Vague);
    }
}
