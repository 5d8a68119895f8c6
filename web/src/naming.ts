// Which emotion is named, given calibrated probabilities, as Python's contract/naming.py: each probability is divided by
// how frequent its emotion is, to a power that the card states (logit adjustment, Menon et al. 2021, arXiv:2007.07314).
import { MienError } from "./errors.js";

/**
 * How often emotions are expected to occur: "balanced" is the model's default, "field" names the most probable emotion,
 * "uniform" names as if all were equally frequent, a mapping gives the frequency of each emotion that can be named.
 */
export type Priors = "balanced" | "field" | "uniform" | Readonly<Record<string, number>>;

/** How a model names emotions unless told otherwise. */
export interface Naming {
  /** Share of each label among the faces that the probabilities are calibrated for. */
  readonly frequencies: Readonly<Record<string, number>>;
  /** Exponent of the frequencies: 0 names the most probable emotion, 1 as if all were equally frequent. */
  readonly power: number;
  readonly source: string;
}

const LEAST_FREQUENCY = 0.005; // rarer emotions count as this rare
const NAMES: readonly unknown[] = ["balanced", "field", "uniform"];

/** What each probability is multiplied by before the largest is named; the largest is 1. */
export function namingWeights(labels: readonly string[], naming: Naming | null, priors: Priors = "balanced"): number[] {
  if (typeof priors === "string" && !NAMES.includes(priors)) {
    throw new MienError("model", `no priors '${priors}'; there are: ${NAMES.join(", ")}; or give the frequency of each emotion`);
  }
  if (priors === "field" || (priors === "balanced" && naming === null)) return labels.map(() => 1);
  if (naming === null) {
    throw new MienError("model", "the model's card does not say how frequent emotions are; use the priors 'field'");
  }
  const known = labels.map((label) => Math.max(naming.frequencies[label] ?? 0, LEAST_FREQUENCY));
  let weights: number[];
  if (priors === "balanced") weights = known.map((share) => share ** -naming.power);
  else if (priors === "uniform") weights = known.map((share) => 1 / share);
  else weights = wanted(labels, priors).map((share, index) => share / known[index]);
  const most = Math.max(...weights);
  return weights.map((weight) => weight / most);
}

function wanted(labels: readonly string[], priors: Readonly<Record<string, number>>): number[] {
  const unknown = Object.keys(priors).find((name) => !labels.includes(name));
  if (unknown !== undefined) {
    throw new MienError("model", `priors: the model does not know '${unknown}'; it knows: ${labels.join(", ")}`);
  }
  const shares = labels.map((label) => priors[label] ?? 0);
  if (!shares.every((share) => Number.isFinite(share) && share >= 0) || !shares.some((share) => share > 0)) {
    throw new MienError("model", "priors: expected frequencies of 0 or more, one of them above 0");
  }
  return shares;
}

/** Position of the largest weighted probability; the first of several. */
export function namedIndex(probabilities: ArrayLike<number>, weights: readonly number[]): number {
  let best = 0;
  for (let index = 1; index < weights.length; index += 1) {
    if (probabilities[index] * weights[index] > probabilities[best] * weights[best]) best = index;
  }
  return best;
}
