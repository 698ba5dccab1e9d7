/** haproxy while sessions drain, and while one server does. */
import { promisesOfDraining } from "./draining-promises";
import { promisesOfServerDrain } from "./server-drain-promises";
import { describeWith, haproxy } from "./proxy-kinds";

describeWith(haproxy)("haproxy while sessions drain", () => promisesOfDraining(haproxy));

describeWith(haproxy)("haproxy while one server drains", () => promisesOfServerDrain(haproxy));
