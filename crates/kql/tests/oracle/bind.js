#!/usr/bin/env node
// Binds queries with Microsoft's own parser and binder, to hold the engine's against.
//
// Reads JSON lines `{"id", "kql"}` from stdin, after a first line `{"tables": {"T": "(a:long,b:string)"}}`. Writes a line
// each: `{"id", "errors": [{"code", "start", "length", "message"}], "warnings": [code], "columns": [[name, type]]}`;
// `columns` is null where the query gives no table, `scalar` is its type where it gives a value.
'use strict';
const readline = require('readline');

function load() {
  const find = file => require.resolve('@kusto/language-service-next/' + file, { paths: [process.cwd(), __dirname] });
  require(find('bridge.min.js'));
  require(find('Kusto.Language.Bridge.min.js'));
  return globalThis.Kusto.Language;
}

const items = list => Array.from({ length: list.Count }, (_, i) => list.getItem(i));

function answer(kusto, globals, kql) {
  const code = kusto.KustoCode.ParseAndAnalyze(kql, globals);
  const found = items(code.GetDiagnostics());
  const errors = found.filter(d => d.Severity === 'Error')
    .map(d => ({ code: d.Code, start: d.Start, length: d.Length, message: d.Message }));
  const warnings = found.filter(d => d.Severity !== 'Error').map(d => d.Code);
  const type = code.ResultType;
  const columns = type && type.Columns ? items(type.Columns).map(c => [c.Name, c.Type.Name]) : null;
  const scalar = type && !type.Columns ? type.Name : null;
  return { errors, warnings, columns, scalar };
}

async function main() {
  const kusto = load();
  const { Symbols, GlobalState } = kusto;
  let globals = GlobalState.Default;
  for await (const line of readline.createInterface({ input: process.stdin })) {
    if (!line.trim()) continue;
    const { id, kql, tables } = JSON.parse(line);
    if (tables) {
      const symbols = Object.entries(tables).map(([name, schema]) => new Symbols.TableSymbol.$ctor7(name, schema, ''));
      globals = globals.WithDatabase(new Symbols.DatabaseSymbol.$ctor1('db', symbols, false));
      continue;
    }
    console.log(JSON.stringify({ id, ...answer(kusto, globals, kql) }));
  }
}

main();
