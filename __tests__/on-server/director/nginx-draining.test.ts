/** nginx while sessions drain. */
import { promisesOfDraining } from "./draining-promises";
import { describeWith, nginx } from "./proxy-kinds";

describeWith(nginx)("nginx while sessions drain", () => promisesOfDraining(nginx));
