//! What Gitea delivers, and what is read of it.

use forge::Headers;
use forge::change::{Account, Change, Command};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use super::*;

const SECRET: &str = "hush";

/// Takes deliveries.
struct Inbox {
    listener: TcpListener,
    url: String,
}

impl Inbox {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/webhook", listener.local_addr().unwrap());
        Self { listener, url }
    }

    async fn next(&self) -> (Headers, Vec<u8>) {
        let (stream, _) = self.listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let (mut headers, mut line) = (Headers::new(), String::new());
        stream.read_line(&mut line).await.unwrap();
        loop {
            line.clear();
            stream.read_line(&mut line).await.unwrap();
            let Some((name, value)) = line.trim().split_once(':') else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let mut body = vec![0; headers["content-length"].parse().unwrap()];
        stream.read_exact(&mut body).await.unwrap();
        let answer = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        (headers, body)
    }

    /// Waits until a delivery says `expected`.
    async fn until(&self, world: &World, expected: &Change) {
        let said = async {
            loop {
                let (headers, body) = self.next().await;
                let wrong = world.forge.verify(&headers, &body, "another");
                assert!(wrong.is_err());
                let envelope = world.forge.verify(&headers, &body, SECRET).unwrap();
                assert!(!envelope.delivery.is_empty());
                let changes = world.forge.changes(&envelope.event, &body).unwrap();
                if changes.contains(expected) {
                    return;
                }
            }
        };
        let said = tokio::time::timeout(std::time::Duration::from_secs(60), said).await;
        said.unwrap_or_else(|_| panic!("{expected:?} was not said"));
    }
}

#[tokio::test]
async fn what_happens_is_delivered_signed_and_understood() {
    let world = World::new().await;
    let (forge, shop) = (&world.forge, &world.shop);
    let inbox = Inbox::open().await;
    forge.ensure_hook(shop, &inbox.url, "old").await.unwrap();
    forge.ensure_hook(shop, &inbox.url, SECRET).await.unwrap();
    let hooks = world
        .call(Method::GET, "/repos/boss/shop/hooks", Value::Null)
        .await;
    assert_eq!(hooks.as_array().unwrap().len(), 1, "one for an address");

    let branch = |name: &str| Change::Branch {
        repository: shop.clone(),
        branch: name.to_owned(),
    };
    world.commit("boss/shop", "fix/a", &[("a", "1")]).await;
    inbox.until(&world, &branch("fix/a")).await;
    let number = world.open(&world.boss, "boss/shop", ("fix/a", "A")).await;
    let pull = Change::PullRequest {
        repository: shop.clone(),
        number,
    };
    inbox.until(&world, &pull).await;
    world.commit("boss/shop", "fix/a", &[("a", "2")]).await;
    inbox.until(&world, &pull).await;

    let path = format!("/repos/boss/shop/issues/{number}/comments");
    let comment = world
        .call(Method::POST, &path, json!({ "body": "/cx redeploy" }))
        .await;
    let command = Change::Command {
        repository: shop.clone(),
        number,
        comment: comment["id"].to_string(),
        author: Account {
            login: "boss".to_owned(),
            bot: false,
        },
        command: Command::Redeploy,
    };
    inbox.until(&world, &command).await;

    let label = json!({ "name": "preview", "color": "#00aabb" });
    let label = world.call(Method::POST, "/repos/boss/shop/labels", label).await;
    let path = format!("/repos/boss/shop/issues/{number}/labels");
    world
        .call(Method::POST, &path, json!({ "labels": [label["id"]] }))
        .await;
    inbox.until(&world, &pull).await;

    let closed = json!({ "state": "closed" });
    world
        .call(Method::PATCH, &format!("/repos/boss/shop/pulls/{number}"), closed)
        .await;
    inbox.until(&world, &pull).await;
    world
        .call(Method::DELETE, "/repos/boss/shop/branches/fix%2Fa", Value::Null)
        .await;
    inbox.until(&world, &branch("fix/a")).await;

    forge.remove_hook(shop, &inbox.url).await.unwrap();
    forge.remove_hook(shop, &inbox.url).await.unwrap();
    let hooks = world
        .call(Method::GET, "/repos/boss/shop/hooks", Value::Null)
        .await;
    assert!(hooks.as_array().unwrap().is_empty());
}
