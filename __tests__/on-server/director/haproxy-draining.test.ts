/** haproxy while sessions drain. */
import { promisesOfDraining } from "./draining-promises";
import { describeWith, haproxy } from "./proxy-kinds";

describeWith(haproxy)("haproxy while sessions drain", () => promisesOfDraining(haproxy));
