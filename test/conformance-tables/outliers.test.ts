import { describe, expect, test } from "vitest";
import { outliers, successRateThreshold } from "../../shared/engine/outlier-rates.ts";
import { readCases } from "./cases.ts";

interface Row {
  readonly successRates: readonly number[];
  readonly stdevFactor: number;
  readonly average: number;
  readonly threshold: number;
  readonly ejected: readonly number[];
}

interface EnvoyTables {
  readonly outlierSuccessRate: { readonly cases: readonly Row[] };
}

const envoy = readCases<EnvoyTables>("envoy-tables.json");

describe.skipIf(envoy.content === null)(`Envoy's success rates${envoy.absence}`, () => {
  test.each(envoy.content?.outlierSuccessRate.cases ?? [])("$successRates eject $ejected", (row) => {
    const { average, threshold } = successRateThreshold(row.successRates, row.stdevFactor);
    expect({ average, threshold }).toEqual({ average: row.average, threshold: row.threshold });
    const rated = row.successRates.map((rate, index) => ({ endpoint: String(index), calls: 100, rate }));
    const successRate = { minEndpoints: 5, minVolume: 100, stdevFactor: row.stdevFactor };
    expect(outliers(rated, { successRate, failurePercentage: null })).toEqual(row.ejected.map(String));
  });
});
