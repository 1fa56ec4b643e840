// Asks Microsoft's KQL parser and binder about queries, offline. It parses and binds; it runs nothing.
//
// Called by `cargo xtask test --only kql` and by the tests of the presets. To call it by hand:
//   echo '[{"name":"mine","text":"CloudHsmServiceOperationAuditLogs | count"}]' | node kqllint.js FOLDER
// FOLDER holds node_modules/@kusto/language-service-next.
//
// In:  [{name, text}, …]
// Out: [{name, schema, problems: [{line, column, code, severity, message}], columns: {name: type}}, …],
//      one entry for each query and each known schema of the table.
'use strict';
const { createRequire } = require('node:module');
const fs = require('node:fs');
const path = require('node:path');

// Microsoft renamed two columns of the table between 2025-10 and mid-2026. A workspace may have the
// old pair, the new pair, or both.
const COMMON = [
  'TimeGenerated:datetime', 'OperationName:string', 'Opcode:string', 'CallerIpAddress:string',
  'ClientInfo:string', 'ClientSdkPackageVersion:string', 'DurationMs:int', 'ResultType:string',
  'ResultSignature:string', 'ResultDescription:string', 'Sku:dynamic', 'SourceSystem:string',
  'TenantId:string', 'Type:string', '_ResourceId:string', '_SubscriptionId:string',
  '_BilledSize:real', '_IsBillable:string',
];
const NEW_PAIR = ['HsmInstance:string', 'ClusterType:string'];
const OLD_PAIR = ['MemberId:string', 'PoolType:string'];
const SCHEMAS = {
  current: [...COMMON, ...NEW_PAIR],
  legacy: [...COMMON, ...OLD_PAIR],
  both: [...COMMON, ...NEW_PAIR, ...OLD_PAIR],
};

// The log of the hardware itself, which few workspaces have. It has had one schema only.
const HARDWARE = [
  'TimeGenerated:datetime', 'AdditionalInfo:dynamic', '_BilledSize:real', 'AuditLogType:string',
  'BinaryLogData:string', 'BinarySignature:string', 'ClusterType:string', 'CommandType:string',
  'CorrelationId:string', 'FirmwareVersion:string', 'HsmInstance:string', 'HSMSerialNumber:string',
  '_IsBillable:string', 'Location:string', 'Opcode:string', 'OperationName:string',
  'OperationVersion:string', 'PartitionId:string', 'RebootCounter:string', '_ResourceId:string',
  'ResultDescription:string', 'ResultType:string', 'SequenceNumber:string', 'SessionHandle:string',
  'SessionType:string', 'SourceSystem:string', '_SubscriptionId:string', 'TenantId:string',
  'Type:string', 'UserID:string',
];

const load = createRequire(path.join(path.resolve(process.argv[2] ?? '.'), 'here.js'));
load('@kusto/language-service-next/bridge.min.js');
load('@kusto/language-service-next/Kusto.Language.Bridge.min.js');
const { KustoCode, GlobalState, Symbols } = globalThis.Kusto.Language;

function* each(list) {
  for (let i = 0; i < list.Count; i += 1) yield list.getItem(i);
}

// The binder's view of a workspace: the audit log with these columns, and the log of the hardware.
function workspace(columns) {
  const table = (name, columns) => new Symbols.TableSymbol.$ctor7(name, `(${columns.join(',')})`, '');
  const tables = [
    table('CloudHsmServiceOperationAuditLogs', columns),
    table('CloudHsmHardwareOperationAuditLogs', HARDWARE),
  ];
  return GlobalState.Default.WithDatabase(
    new Symbols.DatabaseSymbol.$ctor1('workspace', tables, false));
}

function ask(text, globals) {
  const code = KustoCode.ParseAndAnalyze(text, globals);
  const problems = [];
  for (const found of each(code.GetDiagnostics())) {
    const before = text.slice(0, found.Start).split('\n');
    problems.push({
      line: before.length,
      column: before.at(-1).length + 1,
      code: found.Code,
      severity: found.Severity,
      message: found.Message,
    });
  }
  const columns = {};
  if (code.ResultType?.Columns) {
    for (const column of each(code.ResultType.Columns)) columns[column.Name] = column.Type.Name;
  }
  return { problems, columns };
}

const queries = JSON.parse(fs.readFileSync(0, 'utf8'));
const answers = [];
for (const [schema, columns] of Object.entries(SCHEMAS)) {
  const globals = workspace(columns);
  for (const { name, text } of queries) answers.push({ name, schema, ...ask(text, globals) });
}
process.stdout.write(JSON.stringify(answers));
