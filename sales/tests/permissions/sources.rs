//! The calls in the sources, function by function, as far as can be determined without types.

use std::collections::BTreeSet;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, Ident};

/// Methods of an AWS client that make no call.
const NO_OPERATIONS: [&str; 2] = ["clone", "config"];

/// A file of the sources.
pub(crate) struct Source {
    /// Path from the workspace's root.
    pub(crate) path: String,
    /// Every identifier in it.
    pub(crate) names: BTreeSet<String>,
    /// Its imports by name.
    pub(crate) imported: BTreeSet<String>,
    /// Its functions, without those of its tests.
    pub(crate) functions: Vec<Function>,
}

/// A function or method.
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: String,
    /// Number of arguments besides `self`.
    pub(crate) arguments: usize,
    /// The type it belongs to, if it is a method.
    pub(crate) owner: Option<String>,
    /// The trait that it implements, if any.
    pub(crate) port: Option<String>,
    /// Its calls and names.
    pub(crate) calls: BTreeSet<Call>,
    /// The SDK operations that it starts: zero arguments, on a client.
    pub(crate) operations: BTreeSet<String>,
    /// Whether it sends a request of an SDK, or calls a method of that name.
    pub(crate) sends: bool,
}

/// A call, or a path that may be one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    /// `receiver.name(arguments)`
    Method { name: String, arguments: usize },
    /// `qualifier::name`
    Path { qualifier: Option<String>, name: String },
}

impl Source {
    /// Parses the text of a file.
    pub(crate) fn parse(path: &str, text: &str) -> Self {
        let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut names = Names::default();
        names.visit_file(&file);
        let Names { all, imported, clients } = names;
        let mut functions = Functions { clients, ..Functions::default() };
        functions.visit_file(&file);
        Self { path: path.to_owned(), names: all, imported, functions: functions.found }
    }

    /// Parses all files below `folder`, a path from the workspace's root.
    pub(crate) fn below(folder: &str) -> Vec<Self> {
        let mut sources = Vec::new();
        let entries = std::fs::read_dir(workspace().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
        for entry in entries.map(Result::unwrap) {
            let path = format!("{folder}/{}", entry.file_name().display());
            if entry.file_type().unwrap().is_dir() {
                sources.extend(Self::below(&path));
            } else if path.ends_with(".rs") {
                sources.push(Self::parse(&path, &std::fs::read_to_string(entry.path()).unwrap()));
            }
        }
        sources.sort_by(|one, other| one.path.cmp(&other.path));
        sources
    }

    /// The module's name, from its file.
    pub(crate) fn module(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    /// Whether a function in it calls `function`, a method of `owner`: for a trait's method, the file must name the
    /// trait, as the language requires; otherwise, the name and the number of arguments decide.
    pub(crate) fn calls(&self, function: &Function, owner: &str) -> bool {
        function.port.as_ref().is_none_or(|port| self.names.contains(port))
            && self.functions.iter().flat_map(|caller| &caller.calls).any(|call| match call {
                Call::Method { name, arguments } => *name == function.name && *arguments == function.arguments,
                Call::Path { qualifier, name } => {
                    let port = function.port.as_deref();
                    *name == function.name && qualifier.as_deref().is_some_and(|of| of == owner || Some(of) == port)
                }
            })
    }
}

/// The parent folder of this crate.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[derive(Default)]
struct Names {
    all: BTreeSet<String>,
    imported: BTreeSet<String>,
    /// Fields and arguments of a type named `Client`, and those with such a name.
    clients: BTreeSet<String>,
}

impl Names {
    fn client(&mut self, name: &Ident, of: &syn::Type) {
        let of = if let syn::Type::Reference(reference) = of { &*reference.elem } else { of };
        if matches!(of, syn::Type::Path(of) if of.path.segments.last().is_some_and(|last| last.ident == "Client")) {
            self.clients.insert(name.to_string());
        }
    }
}

impl<'ast> Visit<'ast> for Names {
    fn visit_ident(&mut self, ident: &'ast Ident) {
        let name = ident.to_string();
        if is_called_client(&name) {
            self.clients.insert(name.clone());
        }
        self.all.insert(name);
    }

    fn visit_use_name(&mut self, name: &'ast syn::UseName) {
        self.imported.insert(name.ident.to_string());
        visit::visit_use_name(self, name);
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if let Some(name) = &field.ident {
            self.client(name, &field.ty);
        }
        visit::visit_field(self, field);
    }

    fn visit_pat_type(&mut self, argument: &'ast syn::PatType) {
        if let syn::Pat::Ident(name) = &*argument.pat {
            self.client(&name.ident, &argument.ty);
        }
        visit::visit_pat_type(self, argument);
    }
}

#[derive(Default)]
struct Functions {
    owner: Option<String>,
    port: Option<String>,
    clients: BTreeSet<String>,
    found: Vec<Function>,
}

impl Functions {
    fn add(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let (calls, operations) = (BTreeSet::new(), BTreeSet::new());
        let mut body = Body { clients: &self.clients, calls, operations, sends: false };
        body.visit_block(block);
        let Body { calls, operations, sends, .. } = body;
        let receivers = signature.inputs.iter().filter(|input| matches!(input, syn::FnArg::Receiver(_))).count();
        self.found.push(Function {
            name: signature.ident.to_string(),
            arguments: signature.inputs.len() - receivers,
            owner: self.owner.clone(),
            port: self.port.clone(),
            calls,
            operations,
            sends,
        });
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !module.attrs.iter().any(is_for_tests) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_impl(&mut self, implementation: &'ast syn::ItemImpl) {
        let last = |path: &syn::Path| path.segments.last().map(|segment| segment.ident.to_string());
        self.owner = match &*implementation.self_ty {
            syn::Type::Path(of) => last(&of.path),
            _ => None,
        };
        self.port = implementation.trait_.as_ref().and_then(|(port, _)| last(port));
        visit::visit_item_impl(self, implementation);
        (self.owner, self.port) = (None, None);
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.add(&function.sig, &function.block);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.add(&function.sig, &function.block);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.add(&function.sig, block);
        }
    }
}

fn is_for_tests(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg") && attribute.parse_args::<Ident>().is_ok_and(|of| of == "test")
}

/// The calls of a body.
struct Body<'a> {
    clients: &'a BTreeSet<String>,
    calls: BTreeSet<Call>,
    operations: BTreeSet<String>,
    sends: bool,
}

impl Body<'_> {
    fn method(&mut self, name: String, arguments: usize, of_client: bool) {
        self.sends |= arguments == 0 && (name == "send" || name == "into_paginator");
        if of_client && arguments == 0 && !NO_OPERATIONS.contains(&name.as_str()) {
            self.operations.insert(name.clone());
        }
        self.calls.insert(Call::Method { name, arguments });
    }

    fn path<'a>(&mut self, segments: impl Iterator<Item = &'a Ident>) {
        let mut names: Vec<String> = segments.map(ToString::to_string).collect();
        let Some(name) = names.pop() else { return };
        self.calls.insert(Call::Path { qualifier: names.pop(), name });
    }

    fn is_client(&self, name: &Ident) -> bool {
        self.clients.contains(&name.to_string())
    }

    /// `client`, `self.client`, `self.client()`, `Client::new(..)`
    fn is_client_expression(&self, expression: &Expr) -> bool {
        match expression {
            Expr::Path(path) => path.path.segments.last().is_some_and(|segment| self.is_client(&segment.ident)),
            Expr::Field(field) => matches!(&field.member, syn::Member::Named(name) if self.is_client(name)),
            Expr::MethodCall(call) => call.args.is_empty() && self.is_client(&call.method),
            Expr::Call(call) => match &*call.func {
                Expr::Path(path) => path.path.segments.iter().any(|segment| self.is_client(&segment.ident)),
                _ => false,
            },
            Expr::Reference(reference) => self.is_client_expression(&reference.expr),
            Expr::Paren(inner) => self.is_client_expression(&inner.expr),
            _ => false,
        }
    }

    /// Arguments of macros may be anything: whatever looks like a call counts as one.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for (place, token) in tokens.iter().enumerate() {
            let TokenTree::Group(group) = token else { continue };
            self.tokens(group.stream());
            let before = |back: usize| place.checked_sub(back).map(|place| &tokens[place]);
            let Some(TokenTree::Ident(name)) = before(1) else { continue };
            if group.delimiter() != Delimiter::Parenthesis {
                continue;
            }
            if is_sign(before(2), '.') {
                let of_client = matches!(before(3), Some(TokenTree::Ident(receiver)) if self.is_client(receiver));
                self.method(name.to_string(), count(group.stream()), of_client);
            } else {
                let qualifier = before(4).filter(|_| is_sign(before(2), ':'));
                let qualifier =
                    qualifier.and_then(|token| if let TokenTree::Ident(of) = token { Some(of) } else { None });
                self.path(qualifier.into_iter().chain([name]));
            }
        }
    }
}

impl<'ast> Visit<'ast> for Body<'_> {
    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.method(call.method.to_string(), call.args.len(), self.is_client_expression(&call.receiver));
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        self.path(path.path.segments.iter().map(|segment| &segment.ident));
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.tokens(call.tokens.clone());
    }
}

/// How clients are called here. A function that sends a request without starting an operation is reported as well.
fn is_called_client(name: &str) -> bool {
    name.to_lowercase().ends_with("client")
}

fn is_sign(token: Option<&TokenTree>, sign: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == sign)
}

/// Number of arguments in these tokens.
fn count(tokens: TokenStream) -> usize {
    let mut arguments = 0;
    let mut begun = false;
    for token in tokens {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == ',' => begun = false,
            _ if !begun => (arguments, begun) = (arguments + 1, true),
            _ => {}
        }
    }
    arguments
}
