/** nginx while sessions drain, and while one server does. */
import { promisesOfDraining } from "./draining-promises";
import { promisesOfServerDrain } from "./server-drain-promises";
import { describeWith, nginx } from "./proxy-kinds";

describeWith(nginx)("nginx while sessions drain", () => promisesOfDraining(nginx));

describeWith(nginx)("nginx while one server drains", () => promisesOfServerDrain(nginx));
