//! Settings on the command line.

use std::path::PathBuf;

use super::known;
use super::layer::Layers;
use super::{Origin, SettingError};

/// The flags that set settings; what has none of its own is set by `--set`.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Flags {
    /// Directory of the log, the vault and the snapshots
    #[arg(long, value_name = "DIR")]
    pub data: Option<String>,
    /// Settings file [default: DIR/countersign.toml if it is there]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address to listen on [default: 127.0.0.1:8181]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Where callers reach this node
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Certificate chain, PEM
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<String>,
    /// The certificate's private key, PEM
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<String>,
    /// A proxy in front speaks TLS for this node; name it with --trusted-proxies
    #[arg(long)]
    pub behind_proxy: bool,
    /// Addresses or networks of the proxies whose word is believed, by commas
    #[arg(long, value_name = "NETWORKS")]
    pub trusted_proxies: Option<String>,
    /// Key that seals the vault, outside DIR [default: DIR.key]
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<String>,
    /// How log lines are written: text or json [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// Least severe log line: error, warn, info, debug or trace [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// Any setting by its name, such as limits.queue=256; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub set: Vec<String>,
}

impl Flags {
    pub(super) fn put_into(&self, layers: &mut Layers) -> Result<(), SettingError> {
        let named = [
            ("data", &self.data),
            ("listen", &self.listen),
            ("public_url", &self.public_url),
            ("tls_cert", &self.tls_cert),
            ("tls_key", &self.tls_key),
            ("trusted_proxies", &self.trusted_proxies),
            ("key_file", &self.key_file),
            ("log_format", &self.log_format),
            ("log_level", &self.log_level),
        ];
        for (name, value) in named {
            if let Some(value) = value {
                let flag = format!("--{}", name.replace('_', "-"));
                layers.put(name, value.clone(), Origin::Flag(flag))?;
            }
        }
        if self.behind_proxy {
            let origin = Origin::Flag("--behind-proxy".to_owned());
            layers.put(known::BEHIND_PROXY.name, "true", origin)?;
        }
        for pair in &self.set {
            let origin = Origin::Flag("--set".to_owned());
            let Some((name, value)) = pair.split_once('=') else {
                return Err(SettingError::wrong(origin, "--set", pair, "NAME=VALUE"));
            };
            layers.put(name.trim(), value.trim(), origin)?;
        }
        Ok(())
    }
}
