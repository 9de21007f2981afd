//! What owners do at GitHub: with their repositories, and with the App.

use std::path::Path;

use serde_json::json;

use super::FakeGitHub;
use super::people::SOMEBODY;
use super::source::Source;
use super::world::{Grant, Installation, Repository};

impl FakeGitHub {
    /// A private repository with a first commit on `main`; the App is installed for its owner, who administers it.
    pub fn create_repository(&self, name: &str) -> u64 {
        let mut source = Source::told();
        let first = source.grow(None, (SOMEBODY, "Begin"), &[("README.md", Some(name.as_bytes()))]);
        source.set_head("main", Some(first));
        self.add_repository(name, source)
    }

    /// One whose commits are those of a bare git repository.
    pub fn create_git_repository(&self, name: &str, bare: &Path) -> u64 {
        self.add_repository(name, Source::Git(bare.to_owned()))
    }

    fn add_repository(&self, name: &str, source: Source) -> u64 {
        let mut world = self.world();
        let id = world.id();
        let name = Self::name(name);
        if world.installation_of(name.owner()).is_none() {
            let installation = world.id();
            let owner = name.owner().to_owned();
            let new = Installation {
                owner,
                suspended: false,
            };
            world.installations.insert(installation, new);
        }
        let repository = Repository {
            id,
            private: true,
            default_branch: "main".to_owned(),
            source,
            roles: [name.owner(), SOMEBODY]
                .map(|login| (login.to_owned(), "admin".to_owned()))
                .into(),
            name,
            pulls: Default::default(),
            comments: Default::default(),
            checks: Default::default(),
            deployments: Default::default(),
            environments: Default::default(),
            statuses: Default::default(),
            hooks: Default::default(),
        };
        world.repositories.insert(id, repository);
        id
    }

    pub fn make_public(&self, repository: &str) {
        self.world().named(repository).private = false;
    }

    /// Gives a role, such as `write`; an empty one is taken away.
    pub fn grant(&self, repository: &str, login: &str, role: &str) {
        let mut world = self.world();
        let roles = &mut world.named(repository).roles;
        match role {
            "" => drop(roles.remove(login)),
            role => drop(roles.insert(login.to_owned(), role.to_owned())),
        }
    }

    /// The repository has another name, or another owner. The old name leads to it.
    pub fn rename_repository(&self, repository: &str, to: &str) {
        let mut world = self.world();
        let found = world.named(repository);
        let (id, old, new) = (found.id, found.name.clone(), Self::name(to));
        let is_transfer = old.owner() != new.owner();
        found.name = new.clone();
        if is_transfer && world.installation_of(new.owner()).is_none() {
            let installation = world.id();
            let owner = new.owner().to_owned();
            world.installations.insert(
                installation,
                Installation {
                    owner,
                    suspended: false,
                },
            );
        }
        world.old_names.insert(old, id);
        let action = if is_transfer { "transferred" } else { "renamed" };
        self.emit(
            &mut world,
            to,
            ("repository", Some(action)),
            (SOMEBODY, json!({})),
        );
    }

    pub fn delete_repository(&self, repository: &str) {
        let mut world = self.world();
        let id = world.named(repository).id;
        self.emit(
            &mut world,
            repository,
            ("repository", Some("deleted")),
            (SOMEBODY, json!({})),
        );
        world.repositories.remove(&id);
    }

    /// The App is taken away from an owner's repositories.
    pub fn uninstall(&self, owner: &str) {
        let mut world = self.world();
        let id = world.installation_of(owner).expect("the App is installed");
        self.emit_installation(&mut world, id, "deleted");
        world.installations.remove(&id);
        world
            .tokens
            .retain(|_, grant| !matches!(grant, Grant::Installation { id: of, .. } if *of == id));
    }

    /// The App is installed again, under another number.
    pub fn install(&self, owner: &str) {
        let mut world = self.world();
        let id = world.id();
        let owner = owner.to_owned();
        world.installations.insert(
            id,
            Installation {
                owner,
                suspended: false,
            },
        );
        self.emit_installation(&mut world, id, "created");
    }

    pub fn suspend(&self, owner: &str, suspended: bool) {
        let mut world = self.world();
        let id = world.installation_of(owner).expect("the App is installed");
        world.installations.get_mut(&id).expect("it is there").suspended = suspended;
        let action = if suspended { "suspend" } else { "unsuspend" };
        self.emit_installation(&mut world, id, action);
    }

    /// Tokens of installations that were given so far are not taken any more.
    pub fn expire_tokens(&self) {
        let mut world = self.world();
        world.tokens.retain(|_, grant| matches!(grant, Grant::User(_)));
    }

    /// The code that GitHub would send the browser back with.
    pub fn manifest_code(&self) -> String {
        let mut world = self.world();
        let code = format!("code-{}", world.id());
        world.codes.insert(code.clone());
        code
    }
}
