//! Python environments: that of the tests, for plugins written in Python and the ClickHouse engine with its front, and that of the bench's peers.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use longshore_tests::{Context, Failure, Result, python};

use crate::{Console, Workspace, prerequisites};

/// Makes the environment of the tests with its packages and the stubs of our protocol, or brings it up to date, and gives its interpreter.
///
/// # Errors
/// There is no Python, or a package can not be installed.
pub(crate) fn environment(workspace: &Workspace, console: &Console) -> Result<PathBuf> {
    let protocol = protocol_files(&workspace.root().join("proto"))?;
    let folder = python::environment(workspace.target());
    let requirements = workspace.root().join("tests/python/requirements.txt");
    up_to_date(&folder, &requirements, &protocol, console, |interpreter| {
        generate_stubs(interpreter, &workspace.root().join("proto"), &protocol, console)
    })
}

/// Makes the environment of the bench's peers, or brings it up to date, and gives its interpreter. It is one of its own: the peers' packages are no business of the tests.
///
/// # Errors
/// As for [`environment`].
pub(crate) fn peers(workspace: &Workspace, console: &Console) -> Result<PathBuf> {
    let folder = workspace.target().join("bench-venv");
    let requirements = workspace.root().join("bench/peers/requirements.txt");
    up_to_date(&folder, &requirements, &[], console, |_| Ok(()))
}

/// Makes an environment anew when it is not what `requirements` and `inputs` say, and completes it with `finish`.
fn up_to_date(
    folder: &Path,
    requirements: &Path,
    inputs: &[PathBuf],
    console: &Console,
    finish: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let interpreter = python::interpreter_of(folder);
    let mut wanted = String::new();
    for file in [requirements].into_iter().chain(inputs.iter().map(PathBuf::as_path)) {
        wanted += &fs::read_to_string(file).context(format!("{} can not be read", file.display()))?;
    }
    // Written last, so that an environment that was interrupted half-way is made again.
    let made_from = folder.join("made-from.txt");
    if interpreter.exists() && fs::read_to_string(&made_from).is_ok_and(|known| known == wanted) {
        return Ok(interpreter);
    }
    make(folder, console)?;
    let requirements = requirements.to_string_lossy();
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
        &requirements,
    ];
    run(&interpreter, &pip, console)?;
    finish(&interpreter)?;
    fs::write(&made_from, wanted).context("the environment can not be marked as complete")?;
    Ok(interpreter)
}

/// The .proto files, in an order that does not change.
fn protocol_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).context(format!("{} can not be read", folder.display()))? {
        let path = entry.context("a directory can not be read")?.path();
        if path.is_dir() {
            files.extend(protocol_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Generates the modules `longshore.plugin.v1.…` to where the interpreter finds them.
fn generate_stubs(interpreter: &Path, root: &Path, files: &[PathBuf], console: &Console) -> Result<()> {
    let purelib = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let output = Command::new(interpreter).args(["-c", purelib]).output();
    let output = output.context(format!("{} can not be started", interpreter.display()))?;
    let packages = String::from_utf8(output.stdout).context("the path of Python's packages is no text")?;
    let packages = packages.trim();
    let mut arguments = vec![
        "-m".to_owned(),
        "grpc_tools.protoc".to_owned(),
        format!("--proto_path={}", root.display()),
        format!("--python_out={packages}"),
        format!("--grpc_python_out={packages}"),
    ];
    arguments.extend(files.iter().map(|file| file.display().to_string()));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    run(interpreter, &arguments, console)
}

fn make(folder: &Path, console: &Console) -> Result<()> {
    let folder = folder.to_string_lossy();
    let python = Path::new("python3");
    let create = ["-m", "venv", "--clear", &folder];
    if run(python, &create, console).is_ok() {
        return Ok(());
    }
    // Debian keeps the module in a package of its own.
    prerequisites::apt_install("python3-venv", console)?;
    run(python, &create, console)
}

fn run(program: &Path, arguments: &[&str], console: &Console) -> Result<()> {
    let shown = format!("{} {}", program.display(), arguments.join(" "));
    console.command(&shown);
    let status = Command::new(program)
        .args(arguments)
        .status()
        .context(format!("{} can not be started", program.display()))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("`{shown}` fails ({status})")))
}
