# nixpkgs' installShellFiles, as far as it is used here.
# shellcheck shell=bash
installManPage() {
    local page
    for page in "$@"; do
        install -Dm644 "$page" "${out:?}/share/man/man${page##*.}/$(basename "$page")"
    done
}

installShellCompletion() {
    local shell="" name=""
    while [ $# -gt 0 ]; do
        case "$1" in
        --cmd) name="$2" && shift ;;
        --bash | --zsh | --fish)
            shell="${1#--}"
            case "$shell" in
            bash) install -Dm644 "$2" "${out:?}/share/bash-completion/completions/$name.bash" ;;
            zsh) install -Dm644 "$2" "${out:?}/share/zsh/site-functions/_$name" ;;
            fish) install -Dm644 "$2" "${out:?}/share/fish/vendor_completions.d/$name.fish" ;;
            esac
            shift
            ;;
        *) echo "installShellCompletion: unknown argument $1" >&2 && return 1 ;;
        esac
        shift
    done
}
