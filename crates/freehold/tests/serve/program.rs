//! Starts the program and finds where it listens.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

/// The program with a home of its own.
pub(crate) fn program(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_freehold"));
    command
        .env_clear()
        .env("FREEHOLD_HOME", home)
        .env("FREEHOLD_THREADS", "1")
        .stdin(Stdio::null());
    command
}

pub(crate) fn output(command: &mut Command) -> Output {
    command.output().unwrap()
}

/// A running server; killed when it goes.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) child: Child,
}

impl Running {
    pub(crate) fn start(home: &Path, arguments: &[&str]) -> Self {
        let mut command = program(home);
        command.args(["serve", "--listen", "127.0.0.1:0", "--drain-delay", "0"]).args(arguments);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.split("://").nth(1)?.trim().parse().ok())
            .expect("the server says where it listens");
        // Who reads no log blocks the writer.
        std::thread::spawn(move || lines.for_each(drop));
        Running { address, child }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
