# Short names for the commands of CONTRIBUTING.md. `just` alone lists them; `just ci` runs what CI runs.

[private]
default:
    @just --list --unsorted

# the bot between simulated services, in this terminal
demo *args:
    cargo run --bin demo -- {{ args }}

# the bot, with the settings of .env
run *args:
    cargo run --release -- {{ args }}

# everything a change has to pass; `just ci format clippy` runs these steps only
ci *steps:
    .ci/run {{ steps }}

# the names of the steps
steps:
    @.ci/run --list

# format, spelling and clippy: the fast steps
check: (ci "format" "spelling" "clippy")

# all tests, or those whose name contains the argument
test *filter:
    cargo test --locked {{ filter }}

# reformat the code
fmt:
    cargo fmt --all

# rewrite .env.example and the tables of docs/operations.md and of the READMEs from the code
update-docs:
    UPDATE_DOCS=1 cargo test --locked docs

# licences, advisories and unused dependencies
dependencies: (ci "dependencies" "advisories" "unused")

# the bot under faults and kills: `just soak --minutes 5 --seed 7`
soak *args:
    cargo build --release --bin tess-discord --bin soak
    cargo run --release --bin soak -- {{ args }}

# the bot beside the baseline; `just bench --quick` measures less
bench *args:
    cargo bench --bench bot -- {{ args }}
