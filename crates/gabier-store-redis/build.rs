//! Takes BullMQ's scripts from the source of the pinned crate `bullmq-official`, which keeps them to itself.

#![expect(clippy::disallowed_methods, reason = "cargo alone knows where the source of a dependency lies")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The scripts that the queue calls (`src/queue/scripts.rs`).
const SCRIPTS: [&str; 10] = [
    "addDelayedJob-6",
    "addLog-2",
    "addPrioritizedJob-9",
    "addStandardJob-9",
    "moveJobFromActiveToWait-9",
    "moveToActive-11",
    "moveToDelayed-11",
    "moveToFinished-14",
    "pause-7",
    "updateProgress-3",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let folder = source_of("bullmq-official")?.join("src/commands");
    let out = PathBuf::from(variable("OUT_DIR")?).join("bullmq");
    fs::create_dir_all(&out)?;
    for script in SCRIPTS {
        let name = format!("{script}.lua");
        let script = folder.join(&name);
        println!("cargo::rerun-if-changed={}", script.display());
        let text = fs::read(&script).map_err(|error| format!("reading {}: {error}", script.display()))?;
        fs::write(out.join(name), text)?;
    }
    Ok(())
}

/// The folder of a dependency's source.
fn source_of(package: &str) -> Result<PathBuf, Box<dyn Error>> {
    let said = Command::new(variable("CARGO")?)
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", &variable("TARGET")?])
        .arg("--manifest-path")
        .arg(Path::new(&variable("CARGO_MANIFEST_DIR")?).join("Cargo.toml"))
        .output()?;
    if !said.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&said.stderr)).into());
    }
    let metadata: serde_json::Value = serde_json::from_slice(&said.stdout)?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata lists no packages")?;
    let found = packages.iter().find(|listed| listed["name"] == package);
    let manifest = found.and_then(|found| found["manifest_path"].as_str());
    let manifest = manifest.ok_or_else(|| format!("cargo metadata knows no {package}"))?;
    Ok(Path::new(manifest).parent().ok_or("a manifest without a folder")?.to_owned())
}

fn variable(name: &str) -> Result<String, Box<dyn Error>> {
    env::var(name).map_err(|error| format!("{name}: {error}").into())
}
