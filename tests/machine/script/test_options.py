"""user-data.sh with what a machine may have beside the usual: a proxy, and a key that is
kept elsewhere."""

import http.server
import json
import stat
import sys
import threading
import unittest

from machine import HERE, KEY, MachineTest

sys.path.insert(0, str(HERE.parent))

from signatures import signed_for  # noqa: E402

STATE = "root/var/lib/inductiva-aws"


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


class Proxy(MachineTest):
    USER = "someone:pass%20word-of-the-proxy"
    URL = f"http://{USER}@proxy.test:3128"
    NO = "169.254.169.254,localhost"

    def started(self, **variables):
        given = {"http_proxy": self.URL, "https_proxy": self.URL, "no_proxy": self.NO}
        self.assertEqual(self.boot(**{**given, **variables}), 0, self.output)

    def tearDown(self):
        super().tearDown()
        self.assertNotIn(self.USER, self.output + "".join(self.console))
        self.assertNotIn(self.USER, self.read("calls"))
        allowed = {self.case / "part-001", self.case / STATE / "proxy.env"}
        for path in self.case.rglob("*"):
            if path.is_file() and not path.is_symlink() and path not in allowed:
                self.assertNotIn(self.USER.encode(), path.read_bytes(), f"the password is in {path}")

    def test_every_command_that_asks_the_world_has_it(self):
        (self.case / "bin/docker").unlink()
        names = "http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY"
        for command in ("apt-get", "docker"):
            self.reply(command, f'for each in {names}; do [[ ${{!each:-}} ]] || echo $each >>"$CASE/lacks"; done')
        self.started()
        self.assertEqual(self.read("lacks"), "")

    def test_the_engine_the_containers_and_the_supervisor_get_it_from_a_file_of_roots(self):
        self.started()
        file = self.case / STATE / "proxy.env"
        self.assertEqual(mode(file), 0o600)
        lines = [f"{name}={value}" for name, value in (
            ("http_proxy", self.URL), ("https_proxy", self.URL), ("no_proxy", self.NO))]
        lines += [line.split("=")[0].upper() + "=" + line.split("=", 1)[1] for line in lines]
        self.assertEqual(file.read_text().splitlines(), lines)
        drop_in = self.root / "etc/systemd/system/docker.service.d/inductiva-aws-proxy.conf"
        self.assertEqual(mode(drop_in), 0o600)
        self.assertEqual(drop_in.read_text(), f"[Service]\nEnvironmentFile=-{file}\n")
        self.assertIn(f"\nEnvironmentFile=-{file}\n", self.unit("inductiva-aws.service"))
        texts = self.texts()
        again = texts.index("systemctl try-restart docker.service")
        self.assertLess(texts.index("systemctl daemon-reload"), again)
        self.assertLess(again, texts.index("docker version"))
        self.at(40, 'set_runner "exited 0"')
        self.reply("docker-logs", "echo 'TaskRunnerTerminationError(idle_timeout)'; exit 0")
        self.supervise()
        for name in ("inductiva-task-runner", "inductiva-file-tracker"):
            arguments = self.container_arguments(name)
            self.assertIn(str(file), arguments)

    def test_its_password_is_never_said(self):
        self.reply("docker-pull", f"fail_the_first 1 'no answer from {self.URL}'")
        self.started()
        self.reply("docker-pull", f"echo 'password word-of-the-proxy, {self.USER.split(':')[1]}' >&2; exit 1")
        self.boot(BOOT_TIMEOUT_SECONDS="30")

    def test_a_trace_does_not_show_it(self):
        self.started(trace=True)

    def test_without_one_nothing_is_set(self):
        self.started(http_proxy=None, https_proxy=None, no_proxy=None)
        self.assertFalse((self.case / STATE / "proxy.env").exists())
        self.assertEqual(self.texts("systemctl daemon-reload"), [])
        self.assertNotIn("--env-file " + str(self.case / STATE / "proxy.env"), self.read("calls"))

    def test_one_of_an_earlier_run_goes(self):
        self.started()
        self.forget()
        self.started(http_proxy=None, https_proxy=None, no_proxy=None)
        self.assertFalse((self.case / STATE / "proxy.env").exists())
        self.assertFalse((self.root / "etc/systemd/system/docker.service.d/inductiva-aws-proxy.conf").exists())
        self.assertIn("systemctl daemon-reload", self.texts())


class Keeper:
    """SSM and Secrets Manager: an answer for whoever signs as the role."""

    ROLE = {
        "Code": "Success",
        "AccessKeyId": "ASIA0000000000000000",
        "SecretAccessKey": "the-secret-of/the+role",
        "Token": "the-token-of-the-role==",
    }

    def __init__(self):
        self.asked = []
        self.answers = []
        keeper = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = keeper.answer(self.path, self.headers, body)
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, path, headers, body):
        self.asked.append((path.strip("/"), headers["X-Amz-Target"], json.loads(body)))
        service, region, *_ = path.strip("/").split(".")
        if signed_for(self.ROLE, path, headers, body) != (service, region):
            return 400, {"__type": "InvalidSignatureException", "message": "it is not signed by the role"}
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class KeyKeptElsewhere(MachineTest):
    def setUp(self):
        super().setUp()
        self.keeper = Keeper()
        self.addCleanup(self.keeper.close)
        self.keeper.answers = [(200, {"Parameter": {"Value": KEY}})]
        self.write("keeper", "http://127.0.0.1:%d" % self.keeper.server.server_port)
        self.be_in("eu-west-2", "amazonaws.com")
        self.write("metadata/role", "our-role")
        self.write("metadata/our-role", json.dumps(Keeper.ROLE))

    def tearDown(self):
        super().tearDown()
        for secret in (Keeper.ROLE["SecretAccessKey"], Keeper.ROLE["Token"]):
            self.assertNotIn(secret, self.output + self.read("calls"))
            for path in self.root.rglob("*"):
                if path.is_file() and not path.is_symlink():
                    self.assertNotIn(secret.encode(), path.read_bytes())

    def be_in(self, region, domain):
        self.write("metadata/region", region)
        self.write("metadata/domain", domain)

    def start(self, where, **variables):
        return self.boot(INDUCTIVA_API_KEY=None, INDUCTIVA_API_KEY_FROM=where, **variables)

    def assert_has_key(self):
        self.assertIn(f"\nUSER_API_KEY={KEY}\n", self.env_file.read_text())
        self.assertEqual(mode(self.env_file), 0o600)
        self.assertFalse((self.case / STATE / "api-key").exists())

    def test_a_parameter_is_fetched_by_the_role(self):
        self.assertEqual(self.start("ssm:/inductiva/api-key", trace=True), 0, self.output)
        self.assert_has_key()
        self.assertEqual(self.keeper.asked, [(
            "ssm.eu-west-2.amazonaws.com",
            "AmazonSSM.GetParameter",
            {"Name": "/inductiva/api-key", "WithDecryption": True},
        )])

    def test_a_secret_is_fetched_by_the_role(self):
        for text in (KEY, f" {KEY}\n", json.dumps({"api-key": KEY})):
            with self.subTest(text):
                self.keeper.asked.clear()
                self.keeper.answers = [(200, {"SecretString": text})]
                self.assertEqual(self.start("secretsmanager:inductiva"), 0, self.output)
                self.assert_has_key()
                self.assertEqual(self.keeper.asked, [(
                    "secretsmanager.eu-west-2.amazonaws.com",
                    "secretsmanager.GetSecretValue",
                    {"SecretId": "inductiva"},
                )])

    def test_what_is_named_by_an_arn_is_asked_for_where_it_is(self):
        arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:inductiva-AbCdEf"
        self.keeper.answers = [(200, {"SecretString": KEY})]
        self.assertEqual(self.start(f"secretsmanager:{arn}"), 0, self.output)
        [(host, _, body)] = self.keeper.asked
        self.assertEqual((host, body), ("secretsmanager.us-east-1.amazonaws.com", {"SecretId": arn}))

    def test_other_partitions_have_other_addresses(self):
        self.be_in("cn-north-1", "amazonaws.com.cn")
        self.assertEqual(self.start("ssm:key"), 0, self.output)
        self.assertEqual(self.keeper.asked[0][0], "ssm.cn-north-1.amazonaws.com.cn")

    def test_a_role_that_may_not_yet_is_tried_again(self):
        denied = (400, {"__type": "AccessDeniedException", "message": "not authorized to perform: ssm:GetParameter"})
        self.keeper.answers = [denied, denied, (200, {"Parameter": {"Value": KEY}})]
        self.assertEqual(self.start("ssm:key"), 0, self.output)
        self.assert_has_key()
        self.assertEqual([line for line in self.console if "again in" in line], [
            f"again in {seconds} s: fetch_key: Error: AccessDeniedException: not authorized to perform: ssm:GetParameter"
            for seconds in (5, 15)
        ])

    def test_one_that_is_not_there_ends_the_machine_with_the_reason(self):
        self.keeper.answers = [(400, {"__type": "ParameterNotFound"})]
        self.start("ssm:key")
        self.assert_failed("configuration: there is no API key to be had from ssm:key")
        self.assertEqual(len(self.keeper.asked), 8)
        self.assertIn("fetch_key: Error: ParameterNotFound: None", self.console)

    def test_a_machine_without_a_role_says_so(self):
        (self.case / "metadata/role").unlink()
        self.start("ssm:key")
        self.assert_failed("configuration: there is no API key")
        self.assertIn("fetch_key: this machine has no instance profile, or not yet", self.console)

    def test_what_is_no_key_is_not_taken(self):
        for value in ("two words", "line\nbreak", '{"a": "1", "b": "2"}'):
            with self.subTest(value):
                self.forget()
                self.keeper.answers = [(200, {"Parameter": {"Value": value}})]
                self.start("ssm:key")
                self.assert_failed("configuration: there is no API key")
                self.assertIn("fetch_key: Error: what it keeps is no API key", self.console)


if __name__ == "__main__":
    unittest.main()
