//! Files on their way in. "Which blobs are missing?" is answered from what *this project* has sent, and a tree may name
//! only such blobs: otherwise a digest would be a key to other people's files.

use std::io;

use bytes::Bytes;
use model::limits::{FILE_BYTES_MAX, SOURCE_BYTES_MAX};
use model::tree::{Entry, Node, TreePath};
use model::{Digest, ProjectId, ProjectName, Tree};
use tokio::sync::mpsc::Receiver;

use super::{Kind, OpError};
use crate::control::Control;
use crate::rows::{self};

/// Digests in one question at the most: those of a whole tree.
const QUESTION_MAX: usize = model::tree::ENTRIES_MAX;

/// A file that travels in the request itself.
#[derive(Clone, Debug)]
pub struct InlineFile {
    pub path: String,
    pub bytes: Vec<u8>,
    pub executable: bool,
}

impl Control {
    /// The ones of `digests` that the project has to send.
    pub async fn missing_blobs(
        &self,
        project: &ProjectName,
        digests: &[Digest],
    ) -> Result<Vec<Digest>, OpError> {
        if digests.len() > QUESTION_MAX {
            let message = format!(
                "{} digests were asked for and {QUESTION_MAX} are taken",
                digests.len()
            );
            return Err(
                OpError::new(Kind::TooLarge, "too_many_digests", message).hint("Ask in several requests.")
            );
        }
        let project = self.create_project(project).await?;
        self.missing_of(&project.id, digests).await
    }

    async fn missing_of(&self, project: &ProjectId, digests: &[Digest]) -> Result<Vec<Digest>, OpError> {
        let pools = (self.db().read(), self.db().write());
        let sent = rows::blob::sent(pools, project, digests, self.now()).await?;
        let (store, digests) = (self.inner.store.clone(), digests.to_vec());
        let look = move || {
            let present = |digest: &Digest| sent.contains(digest) && store.has_blob(digest);
            digests.into_iter().filter(|digest| !present(digest)).collect()
        };
        tokio::task::spawn_blocking(look).await.map_err(OpError::internal)
    }

    /// Takes the bytes of one blob as they come and checks that they are what `digest` names; gives their number.
    pub async fn put_blob(
        &self,
        project: &ProjectName,
        digest: Digest,
        mut source: Receiver<io::Result<Bytes>>,
    ) -> Result<u64, OpError> {
        self.check_room()?;
        let project = self.create_project(project).await?;
        let store = self.inner.store.clone();
        let written = tokio::task::spawn_blocking(move || {
            let mut writer = store.writer(FILE_BYTES_MAX).map_err(put_error)?;
            while let Some(chunk) = source.blocking_recv() {
                let chunk = chunk.map_err(|error| {
                    OpError::invalid(
                        "upload_broken",
                        format!("the upload of {digest} broke off: {error}"),
                    )
                    .hint("Send the file again.")
                })?;
                writer.write(&chunk).map_err(put_error)?;
            }
            writer.finish_expecting(&digest).map_err(put_error)
        });
        let size = written.await.map_err(OpError::internal)??;
        rows::blob::record(self.db().write(), &project.id, &digest, self.now()).await?;
        Ok(size)
    }

    /// Stores files that came in one request, and gives their tree.
    pub async fn put_inline(&self, project: &ProjectName, files: Vec<InlineFile>) -> Result<Tree, OpError> {
        self.check_room()?;
        let project = self.create_project(project).await?;
        let store = self.inner.store.clone();
        let stored = tokio::task::spawn_blocking(move || {
            let mut entries = Vec::with_capacity(files.len());
            for file in files {
                let path = TreePath::new(&file.path).map_err(invalid_tree)?;
                let (digest, size_bytes) = store
                    .put_blob(file.bytes.as_slice(), FILE_BYTES_MAX)
                    .map_err(put_error)?;
                entries.push(Entry {
                    path,
                    node: Node::File {
                        digest,
                        size_bytes,
                        executable: file.executable,
                    },
                });
            }
            Tree::new(entries).map_err(invalid_tree)
        });
        let tree = stored.await.map_err(OpError::internal)??;
        let digests: Vec<Digest> = tree.digests().into_iter().collect();
        let mut tx = self.db().begin().await?;
        rows::blob::record_all(&mut tx, &project.id, &digests, self.now()).await?;
        tx.commit().await?;
        Ok(tree)
    }

    /// Stores the manifest of a tree whose blobs the project has sent.
    pub(super) async fn put_tree(&self, project: &ProjectId, tree: &Tree) -> Result<Digest, OpError> {
        if tree.size_bytes() > SOURCE_BYTES_MAX {
            let size = model::units::format_bytes(tree.size_bytes());
            let message = format!(
                "the files are {size} together and {} are taken",
                model::units::format_bytes(SOURCE_BYTES_MAX)
            );
            return Err(OpError::new(Kind::TooLarge, "source_too_large", message)
                .hint("Leave out generated files with .cxignore."));
        }
        let digests: Vec<Digest> = tree.digests().into_iter().collect();
        let missing = self.missing_of(project, &digests).await?;
        if let Some(first) = missing.first() {
            let message = format!(
                "{} of {} blobs have not been sent by this project, such as {first}",
                missing.len(),
                digests.len()
            );
            let error = OpError::new(Kind::Conflict, "missing_blobs", message);
            return Err(error.hint("Ask for the missing blobs, send them, then deploy again."));
        }
        let (store, tree) = (self.inner.store.clone(), tree.clone());
        let put = tokio::task::spawn_blocking(move || store.put_tree(&tree));
        put.await.map_err(OpError::internal)?.map_err(put_error)
    }
}

pub(super) fn invalid_tree(error: model::tree::TreeError) -> OpError {
    OpError::invalid("invalid_tree", error.to_string())
}

fn put_error(error: store::PutError) -> OpError {
    match &error {
        store::PutError::TooLarge { .. } => OpError::new(Kind::TooLarge, "file_too_large", error.to_string())
            .hint("Leave the file out with .cxignore."),
        store::PutError::WrongDigest { .. } => OpError::invalid("digest_mismatch", error.to_string()),
        store::PutError::WrongSize { .. } => OpError::invalid("wrong_size", error.to_string()),
        store::PutError::BlobMissing { .. } => {
            OpError::new(Kind::Conflict, "missing_blobs", error.to_string())
        }
        store::PutError::Io(cause) if cause.kind() == io::ErrorKind::StorageFull => OpError::full(),
        store::PutError::Source(_) | store::PutError::Io(_) => OpError::internal(error),
    }
}
