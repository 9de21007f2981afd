//! Namespaces: the previews of several projects that belong to one change, as a whole.

use std::collections::BTreeMap;

use model::{NamespaceName, ProjectName};

use super::OpError;
use crate::control::Control;
use crate::rows::{self};
use crate::view;

impl Control {
    /// Every namespace that has previews, by name.
    pub async fn namespaces(&self) -> Result<Vec<view::Namespace>, OpError> {
        let mut namespaces: BTreeMap<NamespaceName, Vec<view::Preview>> = BTreeMap::new();
        for preview in self.previews().await? {
            namespaces
                .entry(preview.namespace.clone())
                .or_default()
                .push(preview);
        }
        Ok(namespaces
            .into_iter()
            .map(|(name, previews)| view::Namespace { name, previews })
            .collect())
    }

    /// Deletes the previews of a namespace, of one project where it is given; gives what went.
    pub async fn delete_namespace(
        &self,
        namespace: &NamespaceName,
        project: Option<&ProjectName>,
    ) -> Result<Vec<view::Preview>, OpError> {
        let mut deleted = Vec::new();
        for row in rows::preview::all(self.db().read()).await? {
            if row.namespace == *namespace && project.is_none_or(|project| row.project == *project) {
                deleted.push(self.view_preview(row.clone()).await?);
                self.delete_preview_rows(&row, "preview.deleted").await?;
            }
        }
        if deleted.is_empty() {
            let all = rows::preview::all(self.db().read()).await?;
            let names = all.iter().map(|preview| preview.namespace.as_str());
            return Err(OpError::unknown(
                "preview in namespace",
                namespace.as_str(),
                names,
            ));
        }
        Ok(deleted)
    }
}
