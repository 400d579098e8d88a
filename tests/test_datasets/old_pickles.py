"""Pickles that other versions of torch and NumPy wrote, on other Pythons.

Each is of ``VALUES``, the tensors with ``requires_grad=True``, made with
``pickle.dumps(array, protocol)`` under Python 3.6 (torch 1.0, NumPy 1.13),
3.8 (NumPy 1.18), 3.9 (torch 1.12) and 3.11 (NumPy 1.26).
"""

import base64
import zlib

import numpy as np

VALUES = np.array([[0.5, -1.25, 3.0], [2.0, 0.0, -0.125]], np.float32)
# (library, protocol) -> zlib, base64.
_PICKLES = {
    ('torch 1.0.0', 0): (
        'eNptUU1LHEEQ7d0dVyhQcvWW45yWntl1dU/uIQhhJ8YYkDkozdjT0ZZ2+qtGUBA8Bn9D'
        'Dh79Feb3+BMED9YwISf70PXq1eMVVSXRBnkxES1qE0EEddZqUwtUTbRBXOfgOKSyF0UK'
        '1bkCYWxVi1/BXomzG1QRXEYaIW2tZATVdABcDunx/fDhpOWcV+btz/7r58unw63J/fDb'
        'y4j+O8/S8hNjzAWLVlojrlWI2jZ+QIJygypGIxolVFPrqvHD32VvRhW8cUpEfauiH935'
        'JC3XiIwXNqBfWw3LEWW6QT9eJWXSGdnm3K+vkralxmm53on7YTzrh+ud92ky/NlXesYP'
        'yk1SL2Y8X+zszvl8zqe57ztI1/rRanyAPvlBvqeefaQdVJMx+//2GHv8y9hySXj5j3sG'
        'N4VjU6FuMnAzQLcNR25OcYfiLhS8gLTICyimBZELSggUWZdkHL7yDCTtzyiJtL4I30Ot'
        'gqq/aIl0GroNHrks78RT8stmMHkHQkqNAQ=='
    ),
    ('torch 1.0.0', 3): (
        'eNptkD9LAzEYxnOX61UDiuDk5liXo3pSdbKIdAn+q0sWCde72EbipW+SK1QodLEUP4OD'
        'o59CP48fQXAwpcXJDMmbJz+ePO87xbnTJh8kvHJSWcKN6FVSFdyJ0mrDRwcEUGPFWH9k'
        'fUG40lnB741+5L2xE5ZAcLYdIDQNX4j6ee187z68X+8k0/DiC/t94h3YFkJoaLTTuVZ8'
        'JIyVuoTAA2zDvyjpnBJclIXMSgjnjHjRjYeCW/kkLOAJRA1W86IdaOOgRkOG/U2WDmIa'
        'sWjhocs+1GlUVf7PBqsv4GVgQMsGSMcHd7erLiBgm545OWweH7XS9CTdT1tNWPrmwwow'
        'jS8dRDfe7Q7Qf2yQJTH6W6cIvX0i1G77ur3SPiB8BtyFiCIaUjzzwTENZhDPcz8HJXLn'
        'x2DJlSmEEcW5zB2B+l4X1hysd4Ekv7Xfc7k='
    ),
    ('torch 1.12.1', 2): (
        'eNptkD1LQzEYhXM/2mq04uomuNSltEUsnewgLsGvumSRcJsb20i86ZvkFhQEF0vxNzg4'
        '6k8QROH2j5lLi5NZ3rwnDyec8xRypw0fN1nupLKYGTHMpUqZE5nVhk07GFBjxVg/kpHA'
        'TOkkZTdG37HhvRMWQ8AZ16ngFousvGAI6V6AUPEUFi9YLb6K15PF5+5t8X6x0/Ti6eIj'
        'KuejN6fbCKGJ0U5zrdhUGCt1BkGJ0Lp/UtI5JZjIUplkEBZzir3q7ieCWfkgLESPEDdo'
        'xYt2rI2DCglp5DeZOaiSmMalic5GUCNxnpffNmitpJdxAC3j4RMfy12tMkJAtzzTOzjs'
        'tVvdTrvb67RasDTmkxwiUj1zEF+WdteA/oODpFlFf+fIt/FW/CDU7/utv1KLb4hoSanE'
        'yawN8QwqA6g+Q20AawSRkEQzWCcRCWaA59w3pAR3viCLz00qjEiPJXcYNvYHsOmgPoCt'
        '5i/VOYoi'
    ),
    ('torch 1.12.1', 5): (
        'eNptkD1LAzEYx3MvbeFqpejk5nguB7a21ski0iX4VpdbJLR3sT2JlyaXK1QodLEUuc24'
        'iTj6KfTz+BEEB5/2xMkMefnnl//z5D8rPL0YaDWyNcVlMPRIqiKW6GyDSNpPIxYSReOE'
        'SzKu6UftZpUcS2DpDajOqoTxXkiuJb8l/YmiCVBHm2A6Mx8c9v3c+dq+eTvf8mbmyacF'
        '81Qg169CwZHkigeckTGVScRjYQDgV+CGRUoxSmgcRr1YmAvfAVFNRpQk0R1NhDUVtusX'
        'QEyGXCpRwKZvwSmKlShi27eXHjweiBK20xRqun5pCectCxSsvuB0oHF1mYuOMPx1YA72'
        '9mut+m690WzVGk2R+wajVFi4eKqEfQFuVwL9xxo9r4j+xiFCrx8Itduwb/9q7/pedzVG'
        '2MTWXGMLG3O9yMqQAaOBgggg9vKZDKmk4XEUKEhyp6sVvPF+ANcvfaw='
    ),
    ('numpy 1.13.3', 0): (
        'eNotT0GKwzAM9HlekssGK0nbLRSa64LJYQ+5lsTJlkDrCMc55Dd9SfdrK7VrkDSgGc3Y'
        'h/XOW+7nOOb39ZamLsZuwyWOfg5LiqtPYIvMv3gIw3vPhMxZh8QF/MXPw+gXjEEBuETW'
        '9uAK7a1LUyDwToh7fPNB5qfMo6jJSSscXKlnyOLfYkgbyxESh/anElBAnZQvtFLUVIlS'
        'VO1Jtjs0TeM+ZPtur1C0R/9lLa4axRhzNubxa0xdC9bS9xTxAVeNRpqJjvobiz7/AwZy'
        'Scc='
    ),
    ('numpy 1.13.3', 2): (
        'eNotTTmOwkAQbNscy3AfGR8gsoREiITjHcmBI2fIHnsFEoypYRw4IwHEL3jJIvljMGAq'
        'qO7q7qo+2ULm+0Phikyl7j7f6W2kVFSwtUpFJo9a5UIzUHXFZFJtYXE6wxZrkSWpOLJU'
        'vhsGJ7SIKEYtbJi6i/RWzlG/oBGgecVPgNaMW9zmzgXsG5no4mCc7dA2jr8FOpy4dUU3'
        'QG/Gq7wl+r7v/z4NPsRJYxDfNk44pQ9WROW9fBB5nlFeNaTyH8ONeT4KMNaYxO4LHkFH'
        'cA=='
    ),
    ('numpy 1.18.0', 5): (
        'eNprYJ3azwABPUJ5pbkFlXrJ+UWpekBmalFm8pQe7vi0ovzcpNK0tNSiKZOnaEyTYIAD'
        'ewaGBfsZGBwcgGwHqNi+KT2sYHOAdEpJZUEqUFMPU5rJFG8Gb8b2KUFTNLyZexhtpvj5'
        '+Xn9BwIw4c1QMiXJm8mbuW1KD6PzlBKgMj0AE38zyQ=='
    ),
    ('numpy 1.26.4', 4): (
        'eNprYJm6iAECekTzSnMLKvWS84tS9XJLc0oyE4uKEiun9PDEF6Um5+cVlxSVJpdMmTyl'
        'hxWscEoPe14KRMnkKd4MrVOcGZOmtE8JmqLhzejN5M3cNiWDuYc1paSyIBWkiSnNZEpn'
        'B0SeuYfRZoqfn5/XfyAAE94MJVOSOp0lgO6wZ2BYsJ+BwcEByHaAum3fFKC0HgDirD8h'
    ),
}
OLD_PICKLES = {
    key: zlib.decompress(base64.b64decode(text))
    for key, text in _PICKLES.items()
}
