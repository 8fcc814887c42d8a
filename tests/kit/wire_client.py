"""Requests over HTTPS from inside the namespaces of a testbed's member.

As a program it reads one JSON object from its input, {"address", "cert", "key", "requests"}, and
prints a list of answers; wire() runs it so.
"""
import http.client
import json
import ssl
import sys


def wire(member, address, requests, cert=None, key=None):
    """'requests' are [method, path, body, headers]; answers [status, body as text]."""
    text = json.dumps({'address': address, 'cert': cert and str(cert), 'key': key and str(key), 'requests': requests})
    return json.loads(member.inside('/usr/bin/python3', __file__, text=text))


def send(connection, method, path, body, headers):
    data = None if body is None else json.dumps(body)
    connection.request(method, path, data, {'Content-Type': 'application/json'} | (headers or {}))
    answer = connection.getresponse()
    return [answer.status, answer.read().decode('utf-8', 'replace')]


def main():
    job = json.load(sys.stdin)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if job['cert']:
        context.load_cert_chain(job['cert'], job['key'])
    host, _, port = job['address'].rpartition(':')
    connection = http.client.HTTPSConnection(host, int(port), timeout=60, context=context)
    answers = []
    for request in job['requests']:
        try:
            answers.append(send(connection, *request))
        except (http.client.HTTPException, OSError):
            # The server may close after an error; the next connection says what it says.
            connection.close()
            answers.append(send(connection, *request))
    json.dump(answers, sys.stdout)


if __name__ == '__main__':
    main()
