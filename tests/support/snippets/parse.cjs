// Whether files parse: `parse.cjs LANGUAGE FILE`. For languages whose own tools are not there.

const { readFileSync } = require("node:fs");
const { dirname, join } = require("node:path");
const here = dirname(require.resolve("@vscode/tree-sitter-wasm/package.json", { paths: [process.cwd()] }));
const { Parser, Language } = require(join(here, "wasm/tree-sitter.js"));

(async () => {
  const [language, file] = process.argv.slice(2);
  await Parser.init();
  const parser = new Parser();
  parser.setLanguage(await Language.load(join(here, `wasm/tree-sitter-${language}.wasm`)));
  const walk = (node, depth = 0) => {
    if (node.isError || node.isMissing) {
      console.log(`line ${node.startPosition.row + 1}: ${node.text.slice(0, 80)}`);
      process.exitCode = 1;
    } else if (node.hasError) {
      node.children.forEach((child) => walk(child, depth + 1));
    }
  };
  walk(parser.parse(readFileSync(file, "utf8")).rootNode);
})();
