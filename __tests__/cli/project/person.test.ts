/** Who a lock and a receipt name: a person at a keyboard, or a pipeline's run that a reader can open. */
import { Person } from "../../../release/receipt";
import { formatPerson, currentPerson } from "../../../cli/project/person";

const at = (variables: Record<string, string>) =>
  currentPerson({ variables, userName: () => "ada", hostName: () => "lab-3" });

const nobody = (): string => {
  throw new Error("uv_os_get_passwd returned ENOENT");
};

test("a person at a keyboard: user and host, no pipeline", () => {
  expect(at({})).toEqual({ user: "ada", host: "lab-3", ci: null });
  expect(formatPerson(at({}))).toBe("ada on lab-3");
});

test("here and now it is a Person", () => {
  expect(Person.safeParse(currentPerson()).success).toBe(true);
});

test.each([
  [{ USER: "grace", LOGNAME: "other" }, "grace"],
  [{ USER: "", LOGNAME: "grace" }, "grace"],
  [{}, "unknown"],
])("a container's user without an entry in /etc/passwd: %j is %s", (variables, user) => {
  const person = currentPerson({ variables, userName: nobody, hostName: () => "pod" });
  expect(person).toEqual({ user, host: "pod", ci: null });
});

test.each([
  [
    {
      GITHUB_ACTIONS: "true",
      CI: "true",
      GITHUB_SERVER_URL: "https://github.example.com",
      GITHUB_REPOSITORY: "acme/shop",
      GITHUB_RUN_ID: "871",
    },
    { name: "GitHub Actions", run: "https://github.example.com/acme/shop/actions/runs/871" },
  ],
  [
    { GITHUB_ACTIONS: "true", GITHUB_RUN_ID: "871" },
    { name: "GitHub Actions", run: "871" },
  ],
  [
    { GITLAB_CI: "true", CI: "true", CI_JOB_URL: "https://gitlab.example.com/acme/shop/-/jobs/9" },
    { name: "GitLab CI", run: "https://gitlab.example.com/acme/shop/-/jobs/9" },
  ],
  [
    {
      TF_BUILD: "True",
      SYSTEM_COLLECTIONURI: "https://dev.azure.example.com/acme/",
      SYSTEM_TEAMPROJECT: "My Shop",
      BUILD_BUILDID: "44",
    },
    { name: "Azure DevOps", run: "https://dev.azure.example.com/acme/My%20Shop/_build/results?buildId=44" },
  ],
  [
    { JENKINS_URL: "https://ci.example.com/", BUILD_URL: "https://ci.example.com/job/shop/7/" },
    { name: "Jenkins", run: "https://ci.example.com/job/shop/7/" },
  ],
  [{ TFC_RUN_ID: "run-CZcmD7eagjhyX0vN" }, { name: "Terraform Cloud", run: "run-CZcmD7eagjhyX0vN" }],
  [{ CI: "true" }, { name: "CI", run: null }],
  [{ CI: "woodpecker" }, { name: "CI", run: null }],
  [{ CI: "false" }, null],
  [{ CI: "" }, null],
])("%j is the run %j", (variables, ci) => {
  expect(at(variables as Record<string, string>).ci).toEqual(ci);
});

test("in one line, however odd the variables are", () => {
  const person = currentPerson({
    variables: { USER: "a\nb", GITLAB_CI: "1", CI_JOB_URL: "https://x/\n\u001b[31m1" },
    userName: nobody,
    hostName: () => "pod",
  });
  expect(formatPerson(person)).toBe("a b on pod, GitLab CI https://x/ [31m1");
});
