"""PURE. Currencies by their codes of ISO 4217, and how many decimals an amount due in each has."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator

#: Decimals of the minor unit (ISO 4217, list one); two where a currency is not named here.
_DECIMALS: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD"
        " CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP"
        " GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD"
        " LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB"
        " PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC"
        " SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
DECIMALS: Final = {code: count for count, codes in _DECIMALS.items() for code in codes.split()}
#: What a price is in where its tariff does not say.
USD: Final = "USD"
#: Names that people give to currencies whose code is another.
_MEANT: Final = {"RMB": "CNY", "CNH": "CNY", "NTD": "TWD", "UKP": "GBP", "STG": "GBP"}


def _known(code: str) -> str:
    if code in DECIMALS:
        return code
    meant = _MEANT.get(code.upper()) or (code.upper() if code.upper() in DECIMALS else None)
    hint = f": write {meant}" if meant else ", such as USD or CNY"
    raise ValueError(f"{code!r} is no currency of ISO 4217{hint}")


Currency = Annotated[str, AfterValidator(_known)]
