"""A softphone that calls, and says whom it is connected to. Arguments: the address of the PBX, the number.

A line for each message that names the other end: `shown 180 Kari Nordmann`. The call ends with standard input.
"""

import re
import sys

import pjsua2 as pj

NAMED = re.compile(r'^P-Asserted-Identity:\s*"((?:[^"\\]|\\.)*)"', re.MULTILINE)


class Call(pj.Call):
    def onCallTsxState(self, event):
        body = event.e.body.tsxState
        if body.type != pj.PJSIP_EVENT_RX_MSG:
            return
        message = body.src.rdata.wholeMsg
        named = NAMED.search(message)
        if named:
            kind = message.split(" ")[1] if message.startswith("SIP/2.0") else message.split(" ")[0]
            print("shown", kind, named.group(1), flush=True)


pbx, number = sys.argv[1:]
endpoint = pj.Endpoint()
endpoint.libCreate()
config = pj.EpConfig()
config.logConfig.consoleLevel = 0
config.logConfig.level = 0
endpoint.libInit(config)
transport = pj.TransportConfig()
transport.boundAddress = "127.0.0.1"
endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
endpoint.libStart()
endpoint.audDevManager().setNullDev()

account = pj.Account()
settings = pj.AccountConfig()
settings.idUri = "sip:101@127.0.0.1"
account.create(settings)

parameters = pj.CallOpParam(True)
desk = pj.SipHeader()
desk.hName, desk.hValue = "X-Nameplate-Lab", "desk"
parameters.txOption.headers.append(desk)
call = Call(account)
call.makeCall(f"sip:{number}@{pbx}", parameters)
sys.stdin.read()
endpoint.hangupAllCalls()
endpoint.libDestroy()
