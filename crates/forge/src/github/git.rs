//! How git reaches a repository: with a token that can read it, and those private submodules that its default branch
//! names. What a pull request adds to `.gitmodules` opens nothing, so that nobody reads by a pull request what they could
//! not read themselves.

use std::collections::BTreeSet;

use reqwest::Method;

use super::api::{self, Api, Identity, Right};
use super::tokens::Scope;
use super::truth::Repo;
use super::{GitHub, read};
use crate::change::{RepositoryName, RepositoryRef};
use crate::error::ForgeError;
use crate::source::GitAccess;

/// Most submodules that a token is made for.
const SUBMODULES_MAX: usize = 20;

impl GitHub {
    pub(super) async fn access(&self, repository: &RepositoryRef) -> Result<GitAccess, ForgeError> {
        let token = match &self.api.identity {
            Identity::Anonymous => None,
            Identity::Token(token) => Some(token.clone()),
            Identity::App { .. } => {
                let mut ids = vec![api::number(&repository.id)?];
                ids.extend(self.submodules(repository).await?);
                ids.sort_unstable();
                ids.dedup();
                let scope = Scope::Contents { ids };
                Some(self.api.installation_token(repository, &scope).await?)
            }
        };
        Ok(GitAccess {
            url: format!("{}/{}.git", self.web, repository.name),
            scope: format!("{}/", self.web),
            authorization: token.map(|token| Api::for_git(&token)),
        })
    }

    /// The numbers of the submodules that the installation may see.
    async fn submodules(&self, repository: &RepositoryRef) -> Result<Vec<u64>, ForgeError> {
        let Some(file) = read::file(&self.api, repository, ".gitmodules", None).await? else {
            return Ok(Vec::new());
        };
        let names = named(&String::from_utf8_lossy(&file), &self.web, &repository.name);
        let mut ids = Vec::new();
        for name in names.into_iter().take(SUBMODULES_MAX) {
            let submodule = RepositoryRef {
                name,
                ..repository.clone()
            };
            let call = self.api.of(&submodule, Method::GET, &[]);
            match self.api.json::<Repo>(Right::Metadata(repository), call).await {
                Ok(repo) if repo.private => ids.push(repo.id),
                // Public ones need no token; the others cannot be had.
                Ok(_) | Err(ForgeError::NotFound { .. } | ForgeError::Denied { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(ids)
    }
}

/// The repositories of the same forge and owner that a `.gitmodules` names: one installation sees those of one owner.
fn named(gitmodules: &str, web: &str, of: &RepositoryName) -> BTreeSet<RepositoryName> {
    let host = web.split_once("://").map_or(web, |(_, host)| host);
    let base = format!("{web}/{of}");
    let urls = gitmodules.lines().filter_map(|line| {
        let (name, url) = line.trim().split_once('=')?;
        (name.trim() == "url").then(|| url.trim().trim_matches('"'))
    });
    let names = urls.filter_map(|url| {
        let relative = url.starts_with("./") || url.starts_with("../");
        let full = match relative {
            true => reqwest::Url::parse(&format!("{base}/"))
                .ok()?
                .join(url)
                .ok()?
                .to_string(),
            false => url.to_owned(),
        };
        let ssh = [format!("git@{host}:"), format!("ssh://git@{host}/")];
        let path = full
            .strip_prefix(&format!("{web}/"))
            .or_else(|| ssh.iter().find_map(|prefix| full.strip_prefix(prefix.as_str())))?;
        let path = path.trim_end_matches('/');
        path.strip_suffix(".git").unwrap_or(path).parse().ok()
    });
    names
        .filter(|name: &RepositoryName| name.owner().eq_ignore_ascii_case(of.owner()) && name != of)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submodules_of_the_same_owner_are_named() {
        let file = r#"
            [submodule "a"]
                path = a
                url = ../a.git
            [submodule "b"]
                url = git@github.com:octo/b
                branch = main
            [submodule "c"]
                url = https://github.com/octo/c.git/
            [submodule "ssh"]
                url = "ssh://git@github.com/octo/d.git"
            [submodule "elsewhere"]
                url = https://example.com/octo/e.git
            [submodule "somebody"]
                url = https://github.com/else/f.git
            [submodule "itself"]
                url = ./
            [submodule "outside"]
                url = ../../../../g
        "#;
        let of = "octo/shop".parse().unwrap();
        let names = named(file, "https://github.com", &of);
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["octo/a", "octo/b", "octo/c", "octo/d"]);
    }
}
