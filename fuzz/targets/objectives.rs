//! Objectives and OpenSLO documents: whatever is given is refused or can be
//! measured, rendered, exported and taken back.

#![no_main]

use hashinsight_crds::ServiceLevelObjective;
use hashinsight_slo::objective::{Objective, Reach};
use hashinsight_slo::openslo::{export, import};
use hashinsight_slo::rules::{Links, of_objective};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(data) else { return };
    let taken = import(std::slice::from_ref(&value)).unwrap_or_default();
    for object in taken.into_iter().chain([value]) {
        let Ok(object) = serde_json::from_value::<ServiceLevelObjective>(object) else { continue };
        for reach in [Reach::Everything, Reach::Tenant("acme".to_owned())] {
            let Ok(objective) = Objective::parse("ns", "name", &object.spec, &reach) else { continue };
            let links = Links { runbooks: String::new(), dashboards: String::new() };
            assert!(!of_objective(&objective, &links).groups.is_empty());
            let _ = objective.remarks();
        }
        if let Ok(document) = export(&object) {
            let _ = import(&[document]);
        }
    }
});
