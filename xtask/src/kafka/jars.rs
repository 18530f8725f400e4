//! Apache Kafka's jars, from Maven Central.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::release::Release;
use super::target;
use crate::install;

/// The folder of Kafka's jars, fetched if it is not there yet.
pub(super) fn jars() -> io::Result<PathBuf> {
    // One thread fetches; the others of this process wait for it.
    static FETCH: Mutex<()> = Mutex::new(());
    let _fetch = FETCH.lock().unwrap_or_else(PoisonError::into_inner);
    install::programs(&[("java", "openjdk-17-jre-headless", "runs Apache Kafka")])
        .map_err(io::Error::other)?;
    let version = Release::wanted().version;
    let folder = target().join("kafka").join(format!("jars-{version}"));
    if folder.exists() {
        return Ok(folder);
    }
    install::programs(&[("mvn", "maven", "fetches Apache Kafka's jars")])
        .map_err(io::Error::other)?;
    println!("xtask: fetching Apache Kafka {version} from Maven Central (54 MB)");
    // Under a name of this process and renamed when complete, so that processes may race for it.
    let partial = folder.with_extension(format!("{}.partial", std::process::id()));
    fs::create_dir_all(&partial)?;
    fs::write(partial.join("pom.xml"), pom(&version))?;
    let status = Command::new("mvn")
        .args(["-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars"])
        .current_dir(&partial)
        .status()?;
    if !status.success() {
        return Err(io::Error::other("mvn could not fetch Kafka's jars"));
    }
    // Whoever is first has the same jars.
    drop(fs::rename(partial.join("jars"), &folder));
    drop(fs::remove_dir_all(&partial));
    Ok(folder)
}

fn pom(version: &str) -> String {
    let dependencies: String = [
        ("org.apache.kafka", "kafka_2.13", version),
        ("org.apache.kafka", "kafka-tools", version),
        // Kafka logs through slf4j 1.7. Older ones bring bindings of their own, which want a file.
        ("org.slf4j", "slf4j-simple", "1.7.36"),
    ]
    .map(|(group, artifact, version)| {
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
             <version>{version}</version><exclusions>{OTHER_BINDINGS}</exclusions></dependency>"
        )
    })
    .concat();
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>neckar</groupId><artifactId>kafka</artifactId><version>1</version>\
         <dependencies>{dependencies}</dependencies></project>"
    )
}

const OTHER_BINDINGS: &str = "<exclusion><groupId>org.slf4j</groupId>\
    <artifactId>slf4j-log4j12</artifactId></exclusion><exclusion><groupId>org.slf4j</groupId>\
    <artifactId>slf4j-reload4j</artifactId></exclusion>";
