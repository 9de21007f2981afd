//! An index of Python packages.
//!
//! Source: the simple repository API, in its form as a page of links (PEP 503), which every index and mirror has; yanked
//! files are left out (PEP 592).

use super::{Client, FetchError, Integrity, Package, Versions, shown};

/// All released versions of the project `name` that have a wheel that ends with `wheel`.
pub(super) async fn versions(client: &Client, name: &str, wheel: &str) -> Result<Versions, FetchError> {
    let url = format!("{}/{name}/", client.registries.pypi.trim_end_matches('/'));
    let bytes = client.text(&url, "text/html").await?;
    let page = String::from_utf8_lossy(&bytes);
    let base = reqwest::Url::parse(&url).map_err(|error| FetchError::Http {
        url: shown(&url),
        why: error.to_string(),
    })?;
    Ok(links(&page)
        .filter_map(|link| {
            let (path, hash) = link.split_once("#sha256=")?;
            let file = path.rsplit('/').next()?.strip_suffix(wheel)?;
            let version = file.strip_prefix(name)?.strip_prefix('-')?.split('-').next()?;
            let package = Package {
                url: base.join(path).ok()?.to_string(),
                integrity: Integrity::Sha256(hash.to_ascii_lowercase()),
            };
            Some((version.parse().ok()?, package))
        })
        .collect())
}

/// The addresses of the links of a page that may be used.
fn links(page: &str) -> impl Iterator<Item = String> {
    page.split("<a ").skip(1).filter_map(|tag| {
        let attributes = tag.split('>').next()?;
        let address = attributes.split("href=\"").nth(1)?.split('"').next()?;
        let usable = !attributes.contains("data-yanked");
        usable.then(|| address.replace("&amp;", "&"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_read() {
        let page = "<a href=\"../../x/uv-1.whl#sha256=aa\" data-requires-python=\"&gt;=3.8\">uv-1.whl</a>\n\
                    <a href=\"uv-2.whl?a=1&amp;b=2#sha256=bb\">x</a><a href=\"uv-3.whl#sha256=cc\" data-yanked=\"bad\">x</a>";
        let found: Vec<String> = links(page).collect();
        assert_eq!(
            found,
            ["../../x/uv-1.whl#sha256=aa", "uv-2.whl?a=1&b=2#sha256=bb"]
        );
    }
}
