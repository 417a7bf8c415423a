//! One of those that are compared: a run, or several runs of the same.

use std::fs;
use std::path::{Path, PathBuf};

use super::difference::differences;
use crate::report::{Document, Run, Runs};

/// Runs of the same, under one name.
#[derive(Debug)]
pub(super) struct Side {
    /// What tables and plots call it.
    pub(super) name: String,
    /// The runs, at least one.
    pub(super) runs: Runs,
}

impl Side {
    /// What is in a file, or in all `.json` files of a folder; the error is a sentence.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let named = |path: &Path, error: &str| format!("{}: {error}", path.display());
        let mut paths = vec![path.to_owned()];
        if path.is_dir() {
            paths = documents(path).map_err(|error| named(path, &error.to_string()))?;
        }
        let read = |path: &PathBuf| Document::read(path).map_err(|error| named(path, &error));
        let runs = paths.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let first = runs.first().ok_or_else(|| named(path, "no .json files in this folder"))?;
        for (other, file) in runs.iter().zip(&paths).skip(1) {
            let mut found = differences(&[("the first", first), ("this", other)]);
            if first.reports.len() != other.reports.len() {
                found.push("differs: number of reports".to_owned());
            }
            if !found.is_empty() {
                let error = "not a repetition of what else is in its folder";
                return Err(named(file, &format!("{error}: {}", found.join("; "))));
            }
        }
        let name = path
            .file_stem()
            .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
        Ok(Self { name, runs: Runs(runs) })
    }

    /// How, where and when its runs came about.
    pub(super) fn described(&self) -> impl Iterator<Item = Run> {
        let several = self.runs.0.len() > 1;
        self.runs.0.iter().enumerate().map(move |(number, run)| {
            let name = if several {
                format!("{}, run {}", self.name, number + 1)
            } else {
                self.name.clone()
            };
            Run::of(&name, run)
        })
    }
}

/// The `.json` files of a folder by name.
fn documents(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let paths = entries.into_iter().map(|entry| entry.path());
    let is_json = |path: &PathBuf| path.extension().is_some_and(|end| end == "json");
    let mut paths: Vec<PathBuf> = paths.filter(is_json).collect();
    paths.sort();
    Ok(paths)
}
