//! Shows the product on a real cluster, as a list of short scenes. Each prints
//! what it shows and the commands it runs, and fails loudly.

#![allow(clippy::disallowed_methods, reason = "a demo runs programs and waits in real time")]

mod budget;
mod charts;
mod edge;
mod fleet;
mod gate;
mod given;
mod isolation;
mod repair;
mod rollout;
mod stage;
mod tenants;
mod traffic;
mod trouble;

use std::time::Instant;

use localcluster::say;

pub use stage::{Place, Reference, Stage, cluster};
pub use trouble::Trouble;

/// One scene.
struct Scene {
    title: &'static str,
    play: fn(&Stage) -> Result<(), Trouble>,
    /// Whether it needs a cluster of the demo's own.
    is_local: bool,
}

/// What is shown, in order. Later work adds its own.
const SCENES: [Scene; 8] = [
    Scene { title: "The operator and its plans, by Helm", play: charts::play, is_local: false },
    Scene {
        title: "Three customers on two plans, each with a namespace of its own",
        play: tenants::play,
        is_local: false,
    },
    Scene { title: "Each customer's people see their own tenant and no other", play: isolation::play, is_local: false },
    Scene { title: "Somebody raises a quota by hand, and it comes back", play: repair::play, is_local: false },
    Scene { title: "A fleet of 5,000 miners is priced through the edge", play: fleet::play, is_local: true },
    Scene {
        title: "A minute of failures: the budget, the stage, the page, the incident",
        play: budget::play,
        is_local: true,
    },
    Scene {
        title: "Four versions under load: wrong figures, failures, and a while without metrics",
        play: rollout::play,
        is_local: true,
    },
    Scene { title: "Four releases at the gate: one is allowed", play: gate::play, is_local: true },
];

/// Plays all scenes at `place`; what they made is left for play.
pub fn play(place: Place) -> Result<(), Trouble> {
    let begun = Instant::now();
    let (played, left_out): (Vec<_>, Vec<_>) = SCENES.iter().partition(|scene| place.is_local() || !scene.is_local);
    let all = played.len() + 1;
    title(1, all, "A Kubernetes cluster");
    let stage = Stage::at(place)?;
    took(begun);
    for (number, scene) in (2..).zip(played) {
        let begun = Instant::now();
        title(number, all, scene.title);
        (scene.play)(&stage)?;
        took(begun);
    }
    for scene in left_out {
        say(&format!("\nLeft out: \"{}\" plays only on the demo's own cluster, which has its images.\n", scene.title));
    }
    say(&format!("\nAll {all} scenes played in {} s. {}\n", begun.elapsed().as_secs(), stage.next()));
    Ok(())
}

/// Rolls out as many healthy versions under load, on the demo's own cluster; no
/// request may fail.
pub fn rollouts(place: Place, count: u64) -> Result<(), Trouble> {
    let stage = Stage::at(place)?;
    charts::play(&stage)?;
    fleet::play(&stage)?;
    rollout::healthy(&stage, count)
}

fn title(number: usize, all: usize, text: &str) {
    say(&format!("\n━━ {number}/{all} {text}\n"));
}

fn took(since: Instant) {
    say(&format!("   {:.1} s\n", since.elapsed().as_secs_f64()));
}
