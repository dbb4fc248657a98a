//! How the files of a crate hang together. What a macro is given is not looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use syn::visit::{Visit, visit_item_mod};
use syn::{Attribute, ItemMod, ItemUse, UseTree, Visibility};

/// The names by which a file's module is reached from the root of its crate; none for the root.
type Module = Vec<String>;

/// What a file names of its own crate, as paths from the root.
#[derive(Default)]
struct Names {
    /// The module that is being read; another one than the file's within `mod … { … }`.
    module: Module,
    used: BTreeSet<Module>,
    /// What the file shows under a name of its own.
    shown: BTreeMap<String, Module>,
}

impl Names {
    /// Returns a path from the root, if it is one of this crate.
    fn resolve(&self, path: &[String], children: &BTreeSet<Module>) -> Option<Module> {
        let mut at = self.module.clone();
        let rest = match path.first()?.as_str() {
            "crate" => {
                at.clear();
                &path[1..]
            }
            "self" => &path[1..],
            "super" => {
                let ups = path.iter().take_while(|part| *part == "super").count();
                at.truncate(at.len().saturating_sub(ups));
                &path[ups..]
            }
            child => {
                let is_child = children.contains(&[at.as_slice(), &[child.to_owned()]].concat());
                is_child.then_some(path)?
            }
        };
        at.extend_from_slice(rest);
        Some(at)
    }
}

struct Reader<'a> {
    names: Names,
    modules: &'a BTreeSet<Module>,
}

impl Visit<'_> for Reader<'_> {
    fn visit_item_mod(&mut self, item: &ItemMod) {
        if is_for_tests(&item.attrs) {
            return;
        }
        self.names.module.push(item.ident.to_string());
        visit_item_mod(self, item);
        self.names.module.pop();
    }

    fn visit_item_use(&mut self, item: &ItemUse) {
        for (path, name) in leaves(&item.tree) {
            let Some(full) = self.names.resolve(&path, self.modules) else { continue };
            if !matches!(item.vis, Visibility::Inherited) {
                assert!(name != "*", "{:?} shows all of {path:?}, so nobody sees what", self.names.module);
                self.names.shown.insert(name, full.clone());
            }
            self.names.used.insert(full);
        }
    }

    fn visit_path(&mut self, path: &syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|part| part.ident.to_string()).collect();
        // `self` alone is a value.
        if parts.len() > 1 {
            self.names.used.extend(self.names.resolve(&parts, self.modules));
        }
        syn::visit::visit_path(self, path);
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes
        .iter()
        .any(|one| one.path().is_ident("cfg") && one.parse_args::<syn::Ident>().is_ok_and(|of| of == "test"))
}

/// Returns the paths that a `use` is about, each with the name that it has then; `*` for all names.
fn leaves(tree: &UseTree) -> Vec<(Vec<String>, String)> {
    match tree {
        UseTree::Path(path) => {
            let rest = leaves(&path.tree).into_iter();
            rest.map(|(rest, name)| ([vec![path.ident.to_string()], rest].concat(), name)).collect()
        }
        UseTree::Name(name) => vec![(vec![name.ident.to_string()], name.ident.to_string())],
        UseTree::Rename(name) => vec![(vec![name.ident.to_string()], name.rename.to_string())],
        UseTree::Glob(_) => vec![(Vec::new(), "*".to_owned())],
        UseTree::Group(group) => group.items.iter().flat_map(leaves).collect(),
    }
}

/// Returns the files of a folder by their modules.
fn files(folder: &Path, module: &Module, found: &mut BTreeMap<Module, PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let child = [module.as_slice(), std::slice::from_ref(&name)].concat();
        if path.is_dir() && name != "bin" {
            files(&path, &child, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let is_root = name == "mod" || module.is_empty() && ["lib", "main"].contains(&name.as_str());
            // A binary beside a library is a crate of its own.
            if name != "main" || !folder.join("lib.rs").exists() {
                found.insert(if is_root { module.clone() } else { child }, path);
            }
        }
    }
}

/// Returns which file uses which, but for those below it: a file that has others below it wires them, and they go on
/// with its types.
fn uses(source: &Path) -> BTreeMap<Module, BTreeSet<Module>> {
    let mut found = BTreeMap::new();
    files(source, &Vec::new(), &mut found);
    let modules: BTreeSet<Module> = found.keys().cloned().collect();
    let read = |(module, path): (&Module, &PathBuf)| {
        let mut reader = Reader { names: Names { module: module.clone(), ..Names::default() }, modules: &modules };
        reader.visit_file(&syn::parse_file(&fs::read_to_string(path).unwrap()).unwrap());
        (module.clone(), reader.names)
    };
    let names: BTreeMap<Module, Names> = found.iter().map(read).collect();
    // The file that has what a path names, through those that show what another one has.
    let home = |path: &Module| {
        let mut path = path.clone();
        loop {
            let file = (0..=path.len()).rev().map(|end| path[..end].to_vec()).find(|file| names.contains_key(file))?;
            let rest = &path[file.len()..];
            let shown = rest.first().and_then(|name| names[&file].shown.get(name)).filter(|shown| **shown != path);
            match shown {
                Some(shown) => path = [shown.as_slice(), &rest[1..]].concat(),
                None => return Some(file),
            }
        }
    };
    let used = |(module, names): (&Module, &Names)| {
        let files = names.used.iter().filter_map(home).filter(|file| !file.starts_with(module));
        (module.clone(), files.collect())
    };
    names.iter().map(used).collect()
}

/// Removes whatever is in no circle.
fn circles(mut uses: BTreeMap<Module, BTreeSet<Module>>) -> BTreeMap<Module, BTreeSet<Module>> {
    loop {
        let used: BTreeSet<Module> = uses.values().flatten().cloned().collect();
        let before = uses.len();
        uses.retain(|module, files| !files.is_empty() && used.contains(module));
        let left: BTreeSet<Module> = uses.keys().cloned().collect();
        uses.values_mut().for_each(|files| files.retain(|file| left.contains(file)));
        if uses.len() == before {
            return uses;
        }
    }
}

#[test]
fn no_file_uses_one_that_uses_it_back() {
    let crates = ["shared", "functions", "infra"].iter().flat_map(|folder| {
        let folder = fs::read_dir(restock_local::workspace().join(folder)).unwrap();
        folder.map(|entry| entry.unwrap().path().join("src")).filter(|source| source.is_dir())
    });
    let (mut seen, mut wrong) = (0, Vec::new());
    for source in crates {
        let uses = uses(&source);
        seen += uses.values().map(BTreeSet::len).sum::<usize>();
        for (module, files) in circles(uses) {
            let files: Vec<String> = files.iter().map(|file| file.join("::")).collect();
            wrong.push(format!("{}: {} uses {}", source.display(), module.join("::"), files.join(", ")));
        }
    }

    assert_eq!(wrong, Vec::<String>::new());
    assert!(seen > 300, "only {seen} uses were found");
}

#[test]
fn a_circle_is_found_through_what_a_file_shows_of_another_one() {
    let folder = std::env::temp_dir().join(format!("restock-{}", uuid::Uuid::new_v4()));
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    fs::create_dir_all(folder.join("part")).unwrap();
    write("lib.rs", "mod one; mod part; mod three; pub use one::One as First; use three::Three;");
    write(
        "one.rs",
        "use crate::part::{Two, Other}; pub struct One; #[cfg(test)] mod tests { use crate::three::Three; }",
    );
    write("part/mod.rs", "mod two; mod other; pub use two::Two; pub use other::Other;");
    write("part/two.rs", "pub struct Two; fn f() { let _ = super::super::First; }");
    write("part/other.rs", "pub struct Other;");
    write("three.rs", "use crate::part::Two; mod within { use super::super::one; } pub struct Three;");

    let found = circles(uses(&folder));

    fs::remove_dir_all(&folder).unwrap();
    let module = |path: &str| path.split("::").map(ToOwned::to_owned).collect::<Module>();
    let edge = |from: &str, to: &str| (module(from), BTreeSet::from([module(to)]));
    assert_eq!(found, BTreeMap::from([edge("one", "part::two"), edge("part::two", "one")]));
}
