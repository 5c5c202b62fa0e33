# What pyzpack's hook meets of nixpkgs' stdenv: inputs and their hooks, phases in nixpkgs' order with what runs before and
# after them, and a fixup phase that rewrites executables. Under its names, in few lines.
# shellcheck shell=bash disable=SC2048,SC2154,SC2178
set -eu
set -o pipefail
shopt -s inherit_errexit

export PATH=/usr/bin:/bin HOST_PATH="" SOURCE_DATE_EPOCH=315532800 TZ=UTC
: "${NIX_BUILD_CORES:=1}"

__structuredAttrs=""
if [ -n "${NIX_ATTRS_JSON_FILE:-}" ] || [ -e .attrs.json ]; then
    __structuredAttrs=1
    for outputName in "${!outputs[@]}"; do export "$outputName=${outputs[$outputName]}"; done
    for envName in "${!env[@]}"; do export "$envName=${env[$envName]}"; done
else
    : "${outputs:=out}"
fi
: "${prefix:=${out:-}}"

getAllOutputNames() {
    if [ -n "$__structuredAttrs" ]; then echo "${!outputs[*]}"; else echo "$outputs"; fi
}

isArray() {
    [[ "$(declare -p "$1" 2>/dev/null)" = "declare -a"* ]]
}

# `runHook NAME`: the function or the text of that name, then all of `NAMEHooks`.
runHook() {
    local hook hooks="${1%Hook}Hooks[@]"
    for hook in "callImplicitHook $1" ${!hooks+"${!hooks}"}; do
        if declare -F "$hook" >/dev/null; then "$hook"; else eval "$hook"; fi
    done
}

callImplicitHook() {
    if declare -F "$1" >/dev/null; then "$1"; elif [ -n "${!1:-}" ]; then eval "${!1}"; fi
}

# `appendToVar NAME WORD...`: to an array, or to a text of words.
appendToVar() {
    local -n variable="$1"
    if isArray "$1" || { [ -n "$__structuredAttrs" ] && [ -z "${variable+set}" ]; }; then
        shift
        variable+=("$@")
    else
        shift
        variable="${variable-} $*"
    fi
}

# `concatTo ARRAY NAME[=DEFAULT]...`: arrays as they are, texts split at blanks.
concatTo() {
    local -
    set -o noglob
    local -n target="$1"
    local argument
    for argument in "${@:2}"; do
        local -n source="${argument%%=*}"
        if [[ -z "${source[*]-}" && "$argument" = *=?* ]]; then
            target+=("${argument#*=}")
        elif isArray "${argument%%=*}"; then
            target+=("${source[@]}")
        else
            # shellcheck disable=SC2206 # split at blanks
            target+=(${source-})
        fi
    done
}

echoCmd() {
    printf '%s:' "$1"
    printf ' %q' "${@:2}"
    echo
}

stripHash() {
    local name
    name="$(basename -- "$1")"
    if [[ "$name" =~ ^[a-z0-9]{32}- ]]; then echo "${name:33}"; else echo "$name"; fi
}

# Every exported variable that begins with a small letter replaces `@NAME@`.
substituteAll() {
    local text name
    text="$(<"$1")"
    while IFS= read -r name; do
        text="${text//"@$name@"/"${!name}"}"
    done < <(compgen -e | grep -E '^[a-z][a-zA-Z0-9_]*$')
    printf '%s\n' "$text" >"$2"
}

recordPropagatedDependencies() {
    mkdir -p "$out/nix-support"
    echo "${propagatedBuildInputs[*]:-}" >"$out/nix-support/propagated-build-inputs"
}

# Inputs: on PATH where they run here, on HOST_PATH where they run where the result does.
seenInputs=" "
addInput() {
    local input="$1" where="$2" more
    [[ "$seenInputs" != *" $where:$input "* ]] || return 0
    seenInputs+="$where:$input "
    if [ -f "$input/nix-support/propagated-build-inputs" ]; then
        for more in $(<"$input/nix-support/propagated-build-inputs"); do addInput "$more" "$where"; done
    fi
    if [ -d "$input/bin" ]; then
        if [ "$where" = native ] || [ -z "${strictDeps:-}" ]; then PATH="$input/bin:$PATH"; fi
        if [ "$where" = host ]; then HOST_PATH="$input/bin${HOST_PATH:+:$HOST_PATH}"; fi
    fi
    # shellcheck disable=SC1091
    if [ -f "$input/nix-support/setup-hook" ]; then source "$input/nix-support/setup-hook"; fi
}

fixupOutputHooks+=(patchShebangsAuto stripAuto)

# The fixup phase's rewriting of the first line of every executable script: the interpreter's place in the store.
patchShebangs() {
    local file line interpreter words found
    while IFS= read -r -d '' file; do
        [ "$(head -c 2 "$file" | tr -d '\0')" = "#!" ] || continue
        line="$(head -n 1 "$file" | tr -d '\0')"
        read -r -a words <<<"${line#??}"
        [[ "${words[0]}" != "$NIX_STORE"/* ]] || continue
        if [[ "${words[0]}" = */bin/env ]]; then words=("${words[@]:1}"); fi
        interpreter="$(basename "${words[0]}")"
        found="$(PATH="$HOST_PATH" type -P "$interpreter" || true)"
        [ -n "$found" ] || continue
        words[0]="$found"
        echo "$file: interpreter directive changed from \"$line\" to \"#!${words[*]}\""
        sed -i "1 s|.*|#!${words[*]}|" "$file"
    done < <(find "$@" -type f -perm -0100 -print0)
}

patchShebangsAuto() {
    if [ -z "${dontPatchShebangs:-}" ] && [ -e "$prefix" ]; then patchShebangs "$prefix"; fi
}

stripAuto() {
    local directory
    if [ -n "${dontStrip:-}" ] || ! type -P strip >/dev/null; then return; fi
    for directory in lib libexec bin; do
        if [ -d "$prefix/$directory" ]; then
            find "$prefix/$directory" -type f -exec strip -S -p {} + 2>/dev/null || true
        fi
    done
}

unpackPhase() {
    runHook preUnpack
    : "${src:?variable src should point to the source}"
    sourceRoot="${sourceRoot:-$(stripHash "$src")}"
    if [ -d "$src" ]; then
        cp -r --preserve=timestamps -- "$src" "$(stripHash "$src")"
    else
        tar xf "$src"
    fi
    chmod -R u+w -- "$sourceRoot"
    runHook postUnpack
}

patchPhase() {
    local file
    runHook prePatch
    for file in ${patches[*]:-}; do patch -p1 <"$file"; done
    runHook postPatch
}

configurePhase() {
    runHook preConfigure
    runHook postConfigure
}

buildPhase() {
    runHook preBuild
    echo "no Makefile or custom buildPhase, doing nothing"
    runHook postBuild
}

checkPhase() {
    runHook preCheck
    runHook postCheck
}

installPhase() {
    runHook preInstall
    echo "no Makefile or custom installPhase, doing nothing"
    runHook postInstall
}

fixupPhase() {
    local output
    for output in $(getAllOutputNames); do
        if [ -e "${!output}" ]; then chmod -R u+w,u-s,g-s "${!output}"; fi
    done
    runHook preFixup
    for output in $(getAllOutputNames); do
        prefix="${!output}" runHook fixupOutput
    done
    runHook postFixup
}

installCheckPhase() {
    runHook preInstallCheck
    runHook postInstallCheck
}

runPhase() {
    case "$1" in
    unpackPhase) [ -z "${dontUnpack:-}" ] || return 0 ;;
    patchPhase) [ -z "${dontPatch:-}" ] || return 0 ;;
    configurePhase) [ -z "${dontConfigure:-}" ] || return 0 ;;
    buildPhase) [ -z "${dontBuild:-}" ] || return 0 ;;
    checkPhase) [ -n "${doCheck:-}" ] || return 0 ;;
    installPhase) [ -z "${dontInstall:-}" ] || return 0 ;;
    fixupPhase) [ -z "${dontFixup:-}" ] || return 0 ;;
    installCheckPhase) [ -n "${doInstallCheck:-}" ] || return 0 ;;
    esac
    echo "Running phase: $1"
    eval "${!1:-$1}"
    if [ "$1" = unpackPhase ]; then cd -- "${sourceRoot:-.}"; fi
}

genericBuild() {
    if [ -f "${buildCommandPath:-}" ]; then
        # shellcheck disable=SC1090
        source "$buildCommandPath"
        return
    fi
    if [ -n "${buildCommand:-}" ]; then
        eval "$buildCommand"
        return
    fi
    : "${phases:=${prePhases[*]:-} unpackPhase patchPhase ${preConfigurePhases[*]:-} configurePhase \
        ${preBuildPhases[*]:-} buildPhase checkPhase ${preInstallPhases[*]:-} installPhase ${preFixupPhases[*]:-} \
        fixupPhase installCheckPhase ${preDistPhases[*]:-} ${postPhases[*]:-}}"
    local phase
    for phase in ${phases[*]}; do runPhase "$phase"; done
}

for input in ${nativeBuildInputs[*]:-}; do addInput "$input" native; done
for input in ${buildInputs[*]:-}; do addInput "$input" host; done
# As nixpkgs' setup: phases see variables that are not set.
set +u
