//! Completions and manual pages, from the one definition of the command line.

use std::path::Path;

use clap_complete::Shell;
use hashinsight_crds::text::Language;

use crate::arguments::command;
use crate::output::to_stdout;
use crate::trouble::{Exit, Trouble};

pub fn completions(shell: Shell, language: Language) -> Result<Exit, Trouble> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(language, false), "hashinsight", &mut script);
    to_stdout(&script).map(|()| Exit::Ok)
}

pub fn pages(directory: Option<&Path>, language: Language) -> Result<Exit, Trouble> {
    let command = command(language, false);
    let Some(directory) = directory else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page).map_err(Trouble::system)?;
        return to_stdout(&page).map(|()| Exit::Ok);
    };
    let written = std::fs::create_dir_all(directory).and_then(|()| clap_mangen::generate_to(command, directory));
    written.map_err(|error| {
        let why = std::io::Error::new(error.kind(), format!("{}: {error}", directory.display()));
        Trouble::system(why)
    })?;
    Ok(Exit::Ok)
}
