/** The load for `bluegreen measure`: from a plan file, an address or the environment file. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { HTTP_PATH, isOrigin } from "../../release/patterns";
import { InvalidInput } from "../../release/failure";
import { quote } from "../../release/text";
import { parseJson } from "../../release/validation";
import { parseLoadPlan, type LoadPlan } from "../load/plan";
import { openProject, projectFolder } from "../project/project";
import { environmentLoad } from "./environment-load";

const DEFAULT_RATE = 10;

export interface LoadChoice {
  readonly plan?: string | undefined;
  readonly url?: string | undefined;
  readonly environment: string;
  readonly paths: readonly string[];
  readonly rate?: number | undefined;
  readonly releaseHeader?: string | undefined;
}

export interface ChosenLoad {
  readonly plan: LoadPlan;
  /** null if no environment file was read. */
  readonly application: string | null;
  readonly environment: string | null;
}

/** @throws InvalidInput one line that names the option, the file or the field. */
export function chooseLoad(folder: string, choice: LoadChoice): ChosenLoad {
  const { plan, url, rate, releaseHeader, paths } = choice;
  const unknown = paths.find((path) => !HTTP_PATH.test(path));
  if (unknown !== undefined)
    throw new InvalidInput(`--path ${quote(unknown)} is not an HTTP path: it must start with "/"`);
  if (plan !== undefined) return { plan: readPlan(folder, plan), application: null, environment: null };

  const given = {
    ...(rate === undefined ? {} : { rate }),
    ...(releaseHeader === undefined ? {} : { releaseHeader }),
    ...(paths.length === 0 ? {} : { gets: paths.map((path) => ({ path })) }),
  };
  if (url !== undefined) {
    if (!isOrigin(url)) {
      throw new InvalidInput(
        `--url ${quote(url)} must be scheme, host and port only, as in https://www.example.com; name pages with --path`,
      );
    }
    const basis = { origin: url, rate: DEFAULT_RATE, releaseHeader: null, gets: [{ path: "/" }] };
    return { plan: parseLoadPlan({ ...basis, ...given }), application: null, environment: null };
  }
  const { environment } = openProject(projectFolder(choice.environment, folder), choice.environment);
  const { plan: basis, notMeasured } = environmentLoad(environment);
  if (basis === null) {
    throw new InvalidInput(`${choice.environment}: nothing to measure: ${notMeasured}; or set --url`);
  }
  return {
    plan: parseLoadPlan({ ...basis, ...given }),
    application: environment.application,
    environment: environment.name,
  };
}

function readPlan(folder: string, file: string): LoadPlan {
  let text: string;
  try {
    text = readFileSync(resolve(folder, file), "utf8");
  } catch (error) {
    throw new InvalidInput(`the plan ${file} can't be read: ${(error as NodeJS.ErrnoException).code}`);
  }
  const json = parseJson(text, file);
  try {
    return parseLoadPlan(json);
  } catch (error) {
    throw error instanceof InvalidInput ? new InvalidInput(`${file}: ${error.message}`) : error;
  }
}
