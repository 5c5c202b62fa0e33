# shellcheck shell=bash
#
# pyzpackHook: packs a Python program in a derivation's build phase, and installs
#     $out/share/pyzpack/NAME.pyz    byte for byte what `pyzpack build` makes of the same inputs outside of Nix
#     $out/share/pyzpack/NAME.pyz.*  its evidence, and SHA256SUMS
#     $out/bin/NAME                  a launcher that runs it with the Python of nativeBuildInputs
#
# pyzpackSrc                    what is packed (INPUT of `pyzpack build`), by default the source's directory; a name is first
#                               looked for in it
# pyzpackWheelhouse             a directory, or several, that have every distribution
# pyzpackLock                   the lock; one in the store is put beside the source under its own name
# pyzpackFlags                  further arguments of `pyzpack build`
# pyzpackOutput                 NAME or NAME.pyz, by default pname, else the project's own name
# pyzpackEvidence               what is written beside the file, as in `--evidence`
# pyzpackEpoch                  the time of every entry in seconds since 1970, by default that of the project's
#                               [tool.pyzpack], else 315532800
# pyzpackPython                 the launcher's Python, a package or a program; needed when compiling for another system
#                               where buildInputs has no python3
# pyzpackLibraryPath            directories of libraries for native wheels, as lib.makeLibraryPath gives them
# pyzpackImportsCheck           modules that have to be importable from the file that was installed
# dontUsePyzpackBuild, dontUsePyzpackInstall, dontPyzpackCheckReferences
#                               leave one part to the derivation; what it packs itself has to be dist/NAME.pyz
#
# Lists may be arrays (structured attributes) or texts of words.

echo "Sourcing pyzpack-hook"

_pyzpackCrossCompiling="@crossCompiling@"

_pyzpackFail() {
    echo "error: pyzpackHook: $1" >&2
    echo "hint: $2" >&2
    exit 1
}

# stdenv's concatTo, which nixpkgs has since 24.11, for one variable: `_pyzpackConcatTo ARRAY NAME`.
_pyzpackConcatTo() {
    if declare -F concatTo >/dev/null; then
        concatTo "$1" "$2"
        return
    fi
    local -
    set -o noglob
    local -n _pyzpackTarget="$1" _pyzpackSource="$2"
    if [[ "$(declare -p "$2" 2>/dev/null)" == "declare -a"* ]]; then
        _pyzpackTarget+=("${_pyzpackSource[@]}")
    else
        # shellcheck disable=SC2206 # words
        _pyzpackTarget+=(${_pyzpackSource-})
    fi
}

_pyzpackDigest() {
    local digest
    digest="$(sha256sum <"$1")"
    echo "${digest%% *}"
}

# The directory that a lock of the input $1 lies in.
_pyzpackDirectory() {
    if [ -d "$1" ]; then echo "$1"; elif [ -f "$1" ]; then dirname -- "$1"; else echo .; fi
}

# What a file is called matters: a lock's and a wheel's name say what they are, and stand in what is packed; paths in a lock
# count from where it lies. So a file of the store, which is called HASH-NAME, goes where it would be outside of Nix.
# `_pyzpackPlace VARIABLE FILE DIRECTORY` sets pyzpackPlaced.
_pyzpackPlace() {
    local variable="$1" file="$2" directory="$3" name="${2##*/}"
    pyzpackPlaced="$file"
    [[ "$file" == "$NIX_STORE"/* ]] || return 0
    [ "${file%/*}" != "$NIX_STORE" ] || name="$(stripHash "$file")"
    pyzpackPlaced="$directory/$name"
    if [ -e "$pyzpackPlaced" ]; then
        cmp -s -- "$file" "$pyzpackPlaced" || _pyzpackFail \
            "$variable is not the \`$name\` of the source: sha256 $(_pyzpackDigest "$file") and $(_pyzpackDigest "$pyzpackPlaced")" \
            "leave $variable out where the source has its own, or take \`$name\` out of the source"
    elif [ -w "$directory" ]; then
        install -m644 -- "$file" "$pyzpackPlaced"
    else
        _pyzpackFail "cannot put \`$name\` into \`$directory\`, which is not writable" \
            "let src name the source, which is copied, and pyzpackSrc what is in it"
    fi
}

# NAME.pyz, or nothing where the project names it.
_pyzpackFileName() {
    local name="${pyzpackOutput:-${pname:-}}"
    case "$name" in
    */* | .* | *[[:cntrl:]]*)
        _pyzpackFail "pyzpackOutput is ${name@Q}, which is no name for a program" "give one such as ${pname:-tool}"
        ;;
    "" | *.pyz) echo "$name" ;;
    *) echo "$name.pyz" ;;
    esac
}

# A store path inside the archive is deflated, so Nix does not see it: the file would name what is not in its closure, and
# be of no use elsewhere.
_pyzpackCheckReferences() {
    [ -z "${dontPyzpackCheckReferences:-}" ] || return 0
    local found status=0
    found="$(@program@ inspect "$1" --references "$NIX_STORE")" || status=$?
    if [ "$status" = 1 ] && [ -n "$found" ]; then
        _pyzpackFail "\`${1##*/}\` refers to $NIX_STORE:"$'\n'"$found" \
            "take wheels that were built elsewhere, or dontPyzpackCheckReferences = true where the file stays on this machine"
    fi
    [ "$status" = 0 ] || exit "$status"
}

# Where the check is off: what is deflated Nix does not see, and it would remove what nothing that it sees refers to. So every
# place in the store that the file $1 holds is written down beside it.
_pyzpackRecordReferences() {
    [ -n "${dontPyzpackCheckReferences:-}" ] || return 0
    mkdir -p "${out:?}/nix-support"
    python3 -I - "$1" "$NIX_STORE" >"$out/nix-support/pyzpack-references" <<'PYTHON'
import io, re, sys, zipfile

place = re.compile(re.escape(sys.argv[2].encode()) + rb"/[0-9abcdfghijklmnpqrsvwxyz]{32}-[0-9A-Za-z+._?=-]+")


def search(content):
    found = set(place.findall(content))
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found.update(*(search(archive.read(name)) for name in archive.namelist()))
    return found


with open(sys.argv[1], "rb") as file:
    for path in sorted(search(file.read())):
        print(path.decode())
PYTHON
}

# What nixpkgs' compiler wrappers write into a library beside its code: where this derivation and the libraries that it is
# linked to lie in the store, and this derivation's hash as the seed of random names. None of it belongs into a file that runs
# elsewhere; where libraries are, pyzpackLibraryPath tells the launcher.
_pyzpackKeepOutOfLibraries() {
    [ -z "${dontPyzpackCheckReferences:-}" ] || return 0
    export NIX_DONT_SET_RPATH=1
    if [ -n "${NIX_LDFLAGS:-}" ]; then
        NIX_LDFLAGS="$(sed -E 's/-rpath +[^ ]+//g' <<<"$NIX_LDFLAGS")"
        export NIX_LDFLAGS
    fi
    if [ -n "${NIX_CFLAGS_COMPILE:-}" ]; then
        NIX_CFLAGS_COMPILE="$(sed -E 's/-frandom-seed=[^ ]+/-frandom-seed=pyzpack/g' <<<"$NIX_CFLAGS_COMPILE")"
        export NIX_CFLAGS_COMPILE
    fi
}

pyzpackBuildPhase() {
    echo "Executing pyzpackBuildPhase"
    runHook preBuild

    local -a inputs=() wheelhouses=() evidence=() flags=() arguments=(build --offline)
    local index directory fileName pyzpackPlaced
    _pyzpackConcatTo inputs pyzpackSrc
    for index in "${!inputs[@]}"; do
        # For pyzpack a bare name is a requirement.
        if [[ "${inputs[index]}" != */* && -d "${inputs[index]}" ]]; then inputs[index]="./${inputs[index]}"; fi
        if [ -f "${inputs[index]}" ] && [ "${inputs[index]%/*}" = "$NIX_STORE" ]; then
            _pyzpackPlace pyzpackSrc "${inputs[index]}" .
            inputs[index]="$pyzpackPlaced"
        fi
    done
    _pyzpackConcatTo wheelhouses pyzpackWheelhouse
    _pyzpackConcatTo evidence pyzpackEvidence
    _pyzpackConcatTo flags pyzpackFlags

    for directory in "${wheelhouses[@]}"; do
        [ -d "$directory" ] || _pyzpackFail "pyzpackWheelhouse names \`$directory\`, which is not a directory" \
            "give directories of wheels, such as the result of wheelhouse { lock = ./pylock.toml; }"
        arguments+=(--find-links "$directory")
    done
    if [ -n "${pyzpackLock:-}" ]; then
        [ -f "$pyzpackLock" ] || _pyzpackFail "pyzpackLock is \`$pyzpackLock\`, which is not a file" \
            "give a path such as ./pylock.toml, or the name of a file in the source"
        _pyzpackPlace pyzpackLock "$pyzpackLock" "$(_pyzpackDirectory "${inputs[0]-.}")"
        arguments+=(--lock "$pyzpackPlaced")
    fi
    if [ "${#evidence[@]}" -gt 0 ]; then
        local list
        printf -v list '%s,' "${evidence[@]}"
        arguments+=(--evidence "${list%,}")
    fi
    fileName="$(_pyzpackFileName)"
    if [ -n "$fileName" ]; then
        [ -d dist ] || [ ! -e dist ] || _pyzpackFail "\`dist\` is a file of the source, and what is packed goes there" \
            "take it out in prePatch, or set dontUsePyzpackBuild and write the file in buildPhase"
        mkdir -p dist
        # Of what the source has there, nothing goes into the output.
        rm -rf -- "dist/$fileName" "dist/$fileName".*
        arguments+=(--output "dist/$fileName")
    fi
    rm -f dist/SHA256SUMS
    arguments+=("${flags[@]}" "${inputs[@]}")

    printf 'pyzpack'
    printf ' %q' "${arguments[@]}"
    echo
    local room
    room="$(mktemp -d)"
    # shellcheck disable=SC2030,SC2031 # each for its own process
    (
        # stdenv's time may be that of the newest source, which is another one outside of Nix, and the variable wins over
        # what the project says.
        unset SOURCE_DATE_EPOCH
        if [ -n "${pyzpackEpoch:-}" ]; then export SOURCE_DATE_EPOCH="$pyzpackEpoch"; fi
        _pyzpackKeepOutOfLibraries
        export PYZPACK_CACHE="$room/cache"
        export PYZPACK_JOBS="${PYZPACK_JOBS:-${NIX_BUILD_CORES:-1}}"
        # Nix gives builders a terminal; through a pipe nothing draws its progress into the log.
        set -o pipefail
        @program@ "${arguments[@]}" 2>&1 >"$room/result" | cat >&2
    ) || exit
    cat "$room/result"

    if [ -n "$fileName" ]; then
        pyzpackBuilt="$PWD/dist/$fileName"
    else
        local result
        read -r result <"$room/result"
        [ -f "${result%%: *}" ] || _pyzpackFail "cannot tell what was written" "set pyzpackOutput to its name"
        pyzpackBuilt="$(realpath -- "${result%%: *}")"
    fi
    rm -rf "$room"
    _pyzpackCheckReferences "$pyzpackBuilt"

    runHook postBuild
    echo "Finished executing pyzpackBuildPhase"
}

# The interpreter that the launcher names. Sets pyzpackInterpreter.
_pyzpackFindPython() {
    pyzpackInterpreter="${pyzpackPython:-}"
    if [ -n "$pyzpackInterpreter" ]; then
        [ ! -d "$pyzpackInterpreter" ] || pyzpackInterpreter+="/bin/python3"
        [ -x "$pyzpackInterpreter" ] || _pyzpackFail "pyzpackPython is \`$pyzpackPython\`, which is no Python" \
            "give a package such as python3, or the path of its program"
    elif [ -n "$_pyzpackCrossCompiling" ]; then
        pyzpackInterpreter="$(PATH="${HOST_PATH:-}" type -P python3)" || _pyzpackFail \
            "no python3 of the system that this is built for" \
            "add python3 to buildInputs; that of nativeBuildInputs runs on this machine"
    else
        pyzpackInterpreter="$(type -P python3 || true)"
        [[ "$pyzpackInterpreter" == "$NIX_STORE"/* ]] || _pyzpackFail "no python3 among the inputs" \
            "add python3 to nativeBuildInputs; it builds, and the launcher runs it"
    fi
}

# Whether a link called $2 starts what the file $1 starts. It does not where the file has another entry point than its
# console script of that name: the link starts that script.
_pyzpackLinkStartsTheSame() {
    @program@ inspect --json "$1" | python3 -I -c '
import json, sys
found = json.load(sys.stdin)
sys.exit(found["console_scripts"].get(sys.argv[1], found["entry_point"]) != found["entry_point"])' "$2"
}

pyzpackInstallPhase() {
    echo "Executing pyzpackInstallPhase"
    runHook preInstall

    local pyzpackInterpreter started name file
    if [ -z "${pyzpackBuilt:-}" ]; then
        pyzpackBuilt="$PWD/dist/$(_pyzpackFileName)"
        [ -f "$pyzpackBuilt" ] || _pyzpackFail "there is no \`${pyzpackBuilt#"$PWD/"}\` to install" \
            "let buildPhase write it, or set pyzpackOutput to the name of what it writes into dist"
        _pyzpackCheckReferences "$pyzpackBuilt"
    fi
    name="$(basename -- "$pyzpackBuilt" .pyz)"
    _pyzpackFindPython

    # Without the execute bit: patchShebangs and what wraps programs look at executable files alone, strip at other
    # directories. It is set when they are done.
    pyzpackShare="${out:?}/share/pyzpack"
    declare -gA pyzpackInstalled=()
    for file in "$pyzpackBuilt" "$pyzpackBuilt".* "${pyzpackBuilt%/*}/SHA256SUMS"; do
        [ -f "$file" ] || continue
        install -Dm644 -- "$file" "$pyzpackShare/${file##*/}"
        pyzpackInstalled["${file##*/}"]="$(_pyzpackDigest "$file")"
    done
    pyzpackProgram="$pyzpackShare/$name.pyz"
    _pyzpackRecordReferences "$pyzpackProgram"

    # sys.argv[0] is what the launcher names, and usage messages show it.
    started="$pyzpackProgram"
    if _pyzpackLinkStartsTheSame "$pyzpackProgram" "$name"; then
        started="$out/libexec/pyzpack/$name"
        mkdir -p "${started%/*}"
        ln -s "../../share/pyzpack/$name.pyz" "$started"
    fi
    mkdir -p "$out/bin"
    {
        echo "#!@shell@"
        if [ -n "${pyzpackLibraryPath:-}" ]; then
            echo "export LD_LIBRARY_PATH=${pyzpackLibraryPath@Q}\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
        fi
        echo "exec ${pyzpackInterpreter@Q} ${started@Q} \"\$@\""
    } >"$out/bin/$name"
    chmod 755 "$out/bin/$name"
    pyzpackLauncher="$out/bin/$name"

    runHook postInstall
    echo "Finished executing pyzpackInstallPhase"
}

# Nothing between the installation and here may have touched what was installed.
_pyzpackCheckUnchanged() {
    local file digest
    for file in "${!pyzpackInstalled[@]}"; do
        [ -f "$pyzpackShare/$file" ] || _pyzpackFail "\`$pyzpackShare/$file\` was removed after it was installed" \
            "see which hook or phase did it; installPhase is the last one to choose what is there"
        digest="$(_pyzpackDigest "$pyzpackShare/$file")"
        [ "$digest" = "${pyzpackInstalled["$file"]}" ] || _pyzpackFail \
            "\`$pyzpackShare/$file\` was changed after it was installed: expected sha256 ${pyzpackInstalled["$file"]}, found $digest" \
            "see which hook or phase did it, such as postInstall, postFixup or a program that wraps others"
    done
    chmod 755 "$pyzpackProgram"
}

_pyzpackAfterFixup() {
    if [ -n "${pyzpackProgram:-}" ]; then _pyzpackCheckUnchanged; fi
}

# Again at the end, since fixup may be off, and other hooks come after it.
pyzpackUnchangedPhase() {
    echo "Executing pyzpackUnchangedPhase"
    _pyzpackAfterFixup
    echo "Finished executing pyzpackUnchangedPhase"
}

pyzpackImportsCheckPhase() {
    echo "Executing pyzpackImportsCheckPhase"
    local -a modules=()
    _pyzpackConcatTo modules pyzpackImportsCheck
    if [ "${#modules[@]}" -gt 0 ] && [ -n "$_pyzpackCrossCompiling" ]; then
        echo "not checked, since what was packed runs on another system: ${modules[*]}"
    elif [ "${#modules[@]}" -gt 0 ]; then
        echo "Check whether the following modules can be imported: ${modules[*]}"
        local room
        room="$(mktemp -d)"
        # shellcheck disable=SC2030,SC2031 # each for its own process
        (
            # Of the host's modules, none may stand in for one that is not packed.
            cd "$room"
            unset PYTHONPATH
            export PYZPACK_INTERPRETER=1 PYZPACK_CACHE="$room/cache"
            local -a command=("${pyzpackLauncher:-}")
            [ -n "${command[0]}" ] || command=(python3 "$pyzpackBuilt")
            exec "${command[@]}" -c '
import importlib, sys
modules, sys.argv[1:] = sys.argv[1:], []
for module in modules:
    importlib.import_module(module)' "${modules[@]}"
        ) || _pyzpackFail "not all modules of pyzpackImportsCheck can be imported: ${modules[*]}" \
            "the traceback above names the first that cannot; pack what it needs, or take it out of the list"
        rm -rf "$room"
    fi
    echo "Finished executing pyzpackImportsCheckPhase"
}

if [ -z "${dontUsePyzpackBuild:-}" ] && [ -z "${buildPhase:-}" ]; then
    echo "Using pyzpackBuildPhase"
    buildPhase=pyzpackBuildPhase
fi

if [ -z "${dontUsePyzpackInstall:-}" ] && [ -z "${installPhase:-}" ]; then
    echo "Using pyzpackInstallPhase"
    installPhase=pyzpackInstallPhase
fi

if [[ " ${preDistPhases[*]-} " != *" pyzpackUnchangedPhase "* ]]; then
    postFixupHooks+=(_pyzpackAfterFixup)
    if declare -F appendToVar >/dev/null; then
        appendToVar preDistPhases pyzpackUnchangedPhase pyzpackImportsCheckPhase
    else
        preDistPhases+=" pyzpackUnchangedPhase pyzpackImportsCheckPhase"
    fi
fi
