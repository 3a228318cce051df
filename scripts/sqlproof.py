"""What proofs about database servers share: private servers of scripts/services, zipkind on them, and what both cost."""
import http.client
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
RELEASE = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
TICKS = os.sysconf("SC_CLK_TCK")


def run(*command, **options):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True, **options).stdout.strip()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def stat(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return file.read().rsplit(")", 1)[1].split()


def cpu_seconds(root_pid):
    """A process, its children, and those of them that ended."""
    total = 0
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            fields = stat(entry)
        except OSError:
            continue
        if int(entry) == root_pid:
            total += sum(int(fields[index]) for index in (11, 12, 13, 14))
        elif int(fields[1]) == root_pid:
            total += int(fields[11]) + int(fields[12])
    return total / TICKS


def add_binaries(parser):
    parser.add_argument("--binary", help="a zipkind that was built before")
    parser.add_argument("--load", help="a load tool that was built before")


def build(arguments):
    """Builds what was not given; gives the paths of zipkind and the load tool."""
    if not arguments.binary or not arguments.load:
        subprocess.run(["cargo", "build", "--release", "--all-features", "--bin", "zipkind", "--example", "load"], cwd=ROOT, check=True)
    return arguments.binary or RELEASE / "zipkind", arguments.load or RELEASE / "examples/load"


class Database:
    """A PostgreSQL (`postgres`) or MariaDB server of its own, with durable defaults."""

    SETTINGS = {"postgres": ("POSTGRES_CONF", "shared_buffers = 512MB\nmax_wal_size = 4GB"),
                "mariadb": ("MARIADB_CONF", "innodb_buffer_pool_size=512M\ninnodb_log_file_size=512M")}

    def __init__(self, kind, home, settings="", port=None):
        self.kind, self.home, self.port = kind, pathlib.Path(home), port or free_port()
        self.script = ROOT / "scripts/services" / kind
        name, usual = self.SETTINGS[kind]
        self.env = dict(os.environ, **{name: f"{usual}\n{settings}"})
        self.start()

    def start(self):
        self.url = run(self.script, "start", self.home, self.port, env=self.env)

    def verb(self, *words):
        run(self.script, *words, env=self.env)

    def stop(self, how="stop"):
        self.verb(how, self.home)

    def pid(self):
        file = self.home / ("data/postmaster.pid" if self.kind == "postgres" else "mysqld.pid")
        return int(file.read_text(encoding="ascii").split()[0])

    def sql(self, text, database=None):
        if self.kind == "postgres":
            return run("psql", "-X", "-q", "-t", "-A", "-h", "127.0.0.1", "-p", self.port, "-U", "zipkin", "-d", database or "postgres",
                       "-v", "ON_ERROR_STOP=1", "-c", text)
        return run("mariadb", "-h127.0.0.1", f"-P{self.port}", "-uzipkin", "-pzipkin", database or "zipkin", "-N", "-e", text)

    def settings(self):
        """What decides about durability and memory, by the server's own word."""
        if self.kind == "postgres":
            names = ["server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size"]
            return ", ".join(f"{name} {self.sql(f'SHOW {name}')}" for name in names)
        names = ["version", "innodb_flush_log_at_trx_commit", "innodb_doublewrite", "innodb_buffer_pool_size", "innodb_log_file_size",
                 "innodb_compression_level"]
        return ", ".join(f"{name} {self.sql(f'SELECT @@{name}')}" for name in names)

    def disk_bytes(self):
        """Tables and indexes of spans."""
        if self.kind == "postgres":
            return int(self.sql("SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = "
                                "c.relnamespace WHERE n.nspname = 'zipkind' AND c.relkind = 'r'"))
        return sum(file.stat().st_size for file in (self.home / "data/zipkin").glob("*.ibd"))


class Zipkind:
    """A server on a free port."""

    def __init__(self, binary, directory, **variables):
        self.binary, self.port, self.directory = binary, free_port(), directory
        self.env = dict(os.environ, SERVER_ADDRESS="127.0.0.1", QUERY_PORT=str(self.port), LOG_LEVEL="warn",
                        COLLECTOR_OTLP_HTTP_PORT="0", COLLECTOR_OTLP_GRPC_PORT="0", **variables)
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen([str(self.binary)], env=self.env, cwd=self.directory)
        for _ in range(1200):
            try:
                if self.get("/health")[0] == 200:
                    return
            except OSError:
                if self.process.poll() is not None:
                    break
            time.sleep(0.05)
        self.process.kill()
        sys.exit("zipkind did not become healthy")

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=120)

    def request(self, method, path, body=None, timeout=70):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def get(self, path):
        return self.request("GET", path)

    def json(self, path):
        status, body = self.get(path)
        if status != 200:
            sys.exit(f"{path}: {status} {body[:300]}")
        return json.loads(body)

    def post(self, spans):
        return self.request("POST", "/api/v2/spans", json.dumps(spans).encode())[0]


class Proxy:
    """Stands before a server: slows down, resets, refuses, and moves to another server."""

    def __init__(self, port):
        self.to, self.latency, self.away, self.pairs = port, 0.0, False, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        threading.Thread(target=self.accept_forever, daemon=True).start()

    def accept_forever(self):
        while True:
            client, _ = self.listener.accept()
            try:
                if self.away:
                    raise OSError("away")
                server = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                client.close()
                continue
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.pairs += [client, server]
            for left, right in ((client, server), (server, client)):
                threading.Thread(target=self.carry, args=(left, right), daemon=True).start()

    def carry(self, left, right):
        try:
            while part := left.recv(65536):
                if self.latency:
                    time.sleep(self.latency)
                right.sendall(part)
        except OSError:
            pass
        for end in (left, right):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def reset_all(self):
        with self.lock:
            ends, self.pairs = self.pairs, []
        for end in ends:
            try:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()
