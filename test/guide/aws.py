"""AWS's command line, imported once: a second for each command would be most of the test's time.

    python3 aws.py serve SOCKET       runs commands, each in a process of its own, until standard input ends
    python3 aws.py run SOCKET ARG...  has one run there, with this process's environment, folder and output
"""

import json
import os
import socket
import sys
import threading
import traceback


def serve(path):
    import awscli.clidriver

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    print("ready", flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    while True:
        conn, _ = listener.accept()
        if os.fork() == 0:
            break
        conn.close()
    if os.fork() != 0:  # nobody waits for the grandchild
        os._exit(0)
    text, fds, _, _ = socket.recv_fds(conn, 1 << 20, 2)
    request = json.loads(text)
    os.dup2(fds[0], 1)
    os.dup2(fds[1], 2)
    os.chdir(request["folder"])
    data = os.environ["AWS_DATA_PATH"]  # the import has set it
    os.environ.clear()
    os.environ.update(request["environment"], AWS_DATA_PATH=data)
    sys.argv = ["aws", *request["arguments"]]
    code = 255
    try:
        code = awscli.clidriver.main()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        conn.sendall(bytes([code]))
        os._exit(0)


def run(path, *arguments):
    conn = socket.socket(socket.AF_UNIX)
    conn.connect(path)
    request = {"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}
    socket.send_fds(conn, [json.dumps(request).encode()], [1, 2])
    sys.exit(conn.recv(1)[0])


{"serve": serve, "run": run}[sys.argv[1]](*sys.argv[2:])
