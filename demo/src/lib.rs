//! Shows the product on a real cluster, as a list of short scenes. Each prints
//! what it shows and the commands it runs, and fails loudly.

#![allow(clippy::disallowed_methods, reason = "a demo runs programs and waits in real time")]

mod charts;
mod given;
mod isolation;
mod repair;
mod stage;
mod tenants;
mod trouble;

use std::time::Instant;

use localcluster::say;

pub use stage::{Place, Reference, Stage, cluster};
pub use trouble::Trouble;

/// One scene.
struct Scene {
    title: &'static str,
    play: fn(&Stage) -> Result<(), Trouble>,
}

/// What is shown, in order. Later work adds its own.
const SCENES: [Scene; 4] = [
    Scene { title: "The operator and its plans, by Helm", play: charts::play },
    Scene { title: "Three customers on two plans, each with a namespace of its own", play: tenants::play },
    Scene { title: "Each customer's people see their own tenant and no other", play: isolation::play },
    Scene { title: "Somebody raises a quota by hand, and it comes back", play: repair::play },
];

/// Plays all scenes at `place`; what they made is left for play.
pub fn play(place: Place) -> Result<(), Trouble> {
    let begun = Instant::now();
    title(1, "A Kubernetes cluster");
    let stage = Stage::at(place)?;
    took(begun);
    for (number, scene) in (2..).zip(&SCENES) {
        let begun = Instant::now();
        title(number, scene.title);
        (scene.play)(&stage)?;
        took(begun);
    }
    say(&format!("\nAll {} scenes played in {} s. {}\n", SCENES.len() + 1, begun.elapsed().as_secs(), stage.next()));
    Ok(())
}

fn title(number: usize, text: &str) {
    say(&format!("\n━━ {number}/{} {text}\n", SCENES.len() + 1));
}

fn took(since: Instant) {
    say(&format!("   {:.1} s\n", since.elapsed().as_secs_f64()));
}
