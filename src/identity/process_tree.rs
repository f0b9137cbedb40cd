//! Ending a process with everything that it has started.

use std::{
    fs,
    process::{Command, Stdio},
};

use super::inherited::without_secrets;

/// Ends a process and all below it. To end only the shell would leave what it has
/// started. A process group of its own is no way out: a command has to be able to read
/// from the terminal.
pub fn end_with_descendants(id: u32) {
    let mut list = Command::new("ps");
    list.args(["-A", "-o", "pid=,ppid="]);
    without_secrets(&mut list);
    let listed = list.output().map_or_else(
        |_| processes(),
        |listed| String::from_utf8_lossy(&listed.stdout).into_owned(),
    );
    let ids = descendants(id, &listed);
    // Every shell has `kill`; as a program it does not exist everywhere.
    let mut kill = Command::new("sh");
    kill.args(["-c", "kill -KILL \"$@\"", "sh"])
        .args(ids.iter().map(u32::to_string))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    without_secrets(&mut kill);
    let _ = kill.status();
}

/// What `ps` would list. On Linux it comes from the kernel, as systems may have no `ps`.
fn processes() -> String {
    let status = |entry: fs::DirEntry| {
        let text = fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name is in brackets, and may contain brackets itself.
        let (id, rest) = (text.split(' ').next()?, text.rsplit_once(')')?.1);
        Some(format!("{id} {}\n", rest.split_whitespace().nth(1)?))
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(status).collect()
}

/// The ids of a process and of all below it. Each line has an id and that of its parent.
fn descendants(id: u32, processes: &str) -> Vec<u32> {
    let pairs: Vec<(u32, u32)> = processes
        .lines()
        .filter_map(|line| {
            let mut ids = line.split_whitespace().map(str::parse);
            Some((ids.next()?.ok()?, ids.next()?.ok()?))
        })
        .collect();
    let mut found = vec![id];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        let children = pairs
            .iter()
            .filter(|(child, of)| *of == parent && !found.contains(child));
        let children: Vec<u32> = children.map(|(child, _)| *child).collect();
        found.extend(children);
        at += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descendants_are_found_whatever_their_order() {
        let listed = "  1 0\n 30 20\n 20 10\n 10 1\n 21 10\n 40 1\n x y\n";
        assert_eq!(descendants(10, listed), [10, 20, 21, 30]);
        assert_eq!(descendants(40, ""), [40]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_tells_of_processes_without_ps() {
        let own = std::process::id();
        let mut child = Command::new("sleep").arg("600").spawn().expect("it runs");
        assert!(descendants(own, &processes()).contains(&child.id()));
        child.kill().expect("it ends");
        child.wait().expect("it has ended");
    }
}
