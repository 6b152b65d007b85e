//! Gives the Python wheel its recipes: `recipes/` stands at the root of the checkout, where people look for it, and is
//! copied into the package by way of `OUT_DIR` (`include` in pyproject.toml).

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=recipes");
    if env::var_os("CARGO_FEATURE_PYTHON").is_none() {
        return Ok(());
    }
    let target = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("recipes");
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    copy(Path::new("recipes"), &target)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let place = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &place)?;
        } else {
            fs::copy(entry.path(), &place)?;
        }
    }
    Ok(())
}
