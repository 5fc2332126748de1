//! The structure of the code: dependencies between crates, and no import cycles between modules.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use sales_testbed::workspace;
use syn::{
    Attribute, Item, ItemMod, ItemUse, UseTree, Visibility,
    visit::{self, Visit},
};

/// The crates that are deployed or operated.
const PRODUCT: [&str; 7] =
    ["sales", "sales-service", "sales-api", "sales-worker", "sales-table", "sales-lake", "salesctl"];

/// The development crates.
const DEVELOPMENT: [&str; 4] = ["sales-testbed", "sales-local", "sales-sim", "sales-bench"];

/// A module's path below the crate, as `["aws", "item"]`.
type Name = Vec<String>;

/// Modules, each with its file.
#[derive(Default)]
struct Modules(BTreeMap<Name, PathBuf>);

impl Modules {
    /// All modules of the crate with the root `file`.
    fn of(file: &Path) -> Self {
        let mut modules = Self::default();
        modules.add(Vec::new(), file.to_owned(), file.parent().expect("the root of a crate is in a directory"));
        modules
    }

    /// A module, and those below it, in `directory`.
    fn add(&mut self, name: Name, file: PathBuf, directory: &Path) {
        for item in parse(&file).items {
            if let Item::Mod(module) = item
                && module.content.is_none()
                && !is_for_tests(&module.attrs)
            {
                let own = module.ident.to_string();
                let below = directory.join(&own);
                let files = [directory.join(format!("{own}.rs")), below.join("mod.rs")];
                let found = files.into_iter().find(|file| file.exists()).unwrap_or_else(|| panic!("no file of {own}"));
                self.add(name.iter().cloned().chain([own]).collect(), found, &below);
            }
        }
        self.0.insert(name, file);
    }

    /// The imports of each module from others of its crate.
    fn imports(&self) -> BTreeMap<&Name, BTreeSet<&Name>> {
        let imports = self.0.iter().map(|(name, file)| {
            let mut imports = Imports { modules: self, of: name, found: BTreeSet::new() };
            imports.visit_file(&parse(file));
            (name, imports.found)
        });
        imports.collect()
    }

    /// The module of an item, given its path in the module `of`.
    fn find(&self, of: &Name, path: &[String]) -> Option<&Name> {
        let (mut at, mut rest) = (of.clone(), path);
        match path.first()?.as_str() {
            "crate" => (at, rest) = (Vec::new(), &path[1..]),
            "self" | "super" => {
                while let Some((first, others)) = rest.split_first()
                    && (first == "self" || first == "super")
                {
                    if first == "super" {
                        at.pop()?;
                    }
                    rest = others;
                }
            }
            _ => {
                let child: Name = of.iter().chain(path.first()).cloned().collect();
                self.0.get_key_value(&child)?;
            }
        }
        for part in rest {
            at.push(part.clone());
            if !self.0.contains_key(&at) {
                at.pop();
                break;
            }
        }
        self.0.get_key_value(&at).map(|(name, _)| name)
    }

    /// The modules of a cycle, each importing the next one and the last one the first.
    fn circle(&self) -> Option<Vec<PathBuf>> {
        let imports = self.imports();
        let mut known_to_end = BTreeSet::new();
        for name in self.0.keys() {
            if let Some(circle) = circle_from(name, &imports, &mut Vec::new(), &mut known_to_end) {
                return Some(circle.iter().map(|name| self.0[*name].clone()).collect());
            }
        }
        None
    }
}

fn circle_from<'a>(
    name: &'a Name,
    imports: &BTreeMap<&'a Name, BTreeSet<&'a Name>>,
    way: &mut Vec<&'a Name>,
    known_to_end: &mut BTreeSet<&'a Name>,
) -> Option<Vec<&'a Name>> {
    if let Some(start) = way.iter().position(|before| *before == name) {
        return Some(way[start..].to_vec());
    }
    if known_to_end.contains(name) {
        return None;
    }
    way.push(name);
    let circle = imports[name].iter().find_map(|next| circle_from(next, imports, way, known_to_end));
    way.pop();
    known_to_end.insert(name);
    circle
}

/// The imports of one module, without its tests.
struct Imports<'a> {
    modules: &'a Modules,
    of: &'a Name,
    found: BTreeSet<&'a Name>,
}

impl Imports<'_> {
    fn note(&mut self, path: &[String]) {
        // What a module takes from those below it is its own.
        if let Some(name) = self.modules.find(self.of, path)
            && !name.starts_with(self.of)
        {
            self.found.insert(name);
        }
    }

    fn note_tree(&mut self, before: &[String], tree: &UseTree) {
        let with = |ident: &syn::Ident| before.iter().cloned().chain([ident.to_string()]).collect::<Vec<_>>();
        match tree {
            UseTree::Path(path) => self.note_tree(&with(&path.ident), &path.tree),
            UseTree::Name(name) => self.note(&with(&name.ident)),
            UseTree::Rename(rename) => self.note(&with(&rename.ident)),
            UseTree::Glob(_) => self.note(before),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.note_tree(before, tree)),
        }
    }
}

impl<'ast> Visit<'ast> for Imports<'_> {
    /// A module that re-exports its children does not depend on them.
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if matches!(item.vis, Visibility::Inherited) {
            self.note_tree(&[], &item.tree);
        }
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !is_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if parts.len() > 1 {
            self.note(&parts);
        }
        visit::visit_path(self, path);
    }
}

fn parse(file: &Path) -> syn::File {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    })
}

fn directory(name: &str) -> PathBuf {
    let directory =
        if DEVELOPMENT.contains(&name) { workspace::root().join("dev") } else { workspace::root().to_owned() };
    directory.join(name)
}

#[test]
fn no_modules_import_each_other_in_a_circle() {
    let mut circles = Vec::new();
    for name in PRODUCT.into_iter().chain(DEVELOPMENT) {
        let roots = ["lib.rs", "main.rs"].map(|root| directory(name).join("src").join(root));
        for root in roots.iter().filter(|root| root.exists()) {
            if let Some(files) = Modules::of(root).circle() {
                let files =
                    files.iter().map(|file| file.strip_prefix(workspace::root()).unwrap().display().to_string());
                circles.push(files.collect::<Vec<_>>().join(" -> "));
            }
        }
    }
    assert!(
        circles.is_empty(),
        "each of these imports the next one, and the last one the first:\n{}",
        circles.join("\n")
    );
}

#[test]
fn the_product_depends_on_what_develops_it_in_its_tests_alone() {
    for name in PRODUCT {
        let manifest = std::fs::read_to_string(directory(name).join("Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        for section in ["dependencies", "build-dependencies"] {
            let found = manifest.get(section).and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys);
            let wrong: Vec<&String> = found.filter(|found| DEVELOPMENT.contains(&found.as_str())).collect();
            assert!(wrong.is_empty(), "{name} depends on {wrong:?}");
        }
    }
}

#[test]
fn the_table_s_format_is_linked_into_no_other_service_than_its_builder() {
    for name in ["sales", "sales-service", "sales-api", "sales-worker"] {
        let manifest = std::fs::read_to_string(directory(name).join("Cargo.toml")).unwrap();
        for of_the_table in ["sales-table", "sales-lake", "delta_kernel", "parquet", "arrow-array"] {
            assert!(!manifest.contains(of_the_table), "{name} depends on {of_the_table}");
        }
    }
}

#[test]
fn a_circle_is_found_with_its_files() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("lib.rs", "mod a;\nmod b;\nmod c;\npub use a::A;");
    write("a.rs", "use crate::b::{B, self};\n#[cfg(test)]\nmod tests {\n    use crate::c::C;\n}");
    write("b/mod.rs", "mod inner;\nuse crate::c::h;\nfn f() { inner::g() }");
    write("b/inner.rs", "use super::f;\npub fn g() { crate::c::h() }");
    write("c.rs", "pub fn h() {}");
    let circle = || Modules::of(&directory.path().join("lib.rs")).circle();
    assert_eq!(circle(), None);
    write("c.rs", "use super::a::A;\npub fn h() {}");
    let files = circle().expect("a circle");
    let names: Vec<_> =
        files.iter().map(|file| file.strip_prefix(directory.path()).unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["a.rs", "b/mod.rs", "c.rs"]);
}
