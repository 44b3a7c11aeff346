/*
 * Keys of the tests, and of nothing else: RSA with 2048 and with 1024 bits, P-256, P-384.
 */
#ifndef BIDE_TEST_AUTH_KEYS_H
#define BIDE_TEST_AUTH_KEYS_H

static const char rsa_private[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIEugIBADANBgkqhkiG9w0BAQEFAASCBKQwggSgAgEAAoIBAQCyzV3S+9ghevmx\n"
    "g/wGPo+UTPmoJ5lPhpY0LLkyl5Txa+XZ7Q1X/jY4PJEW0nJ1xP3JKLP7Y4nAFVtq\n"
    "lEOaD4CmNUeBdXMy3rbdPFZPFig7Q7KL5TfFj3Xq9DnOadxXEMdjJ11K+byvX/5H\n"
    "3ZsDpUAZ1CACKf/k7gcc8GQ7hFfM7uCd9aOJ4Qkh6h6uk58E0sqxsJ1WRWC7B3cY\n"
    "2lPWyGIWZCHBy2z7tJqVl/3ro2+tT86drsHGAnk18GYuf7bze58uEzFd//n3xLoo\n"
    "8IcO1n8rtwqET3Hih0qqxFHdZP3PLyDi8iqkS5bPrNtrmphq062cod/VlqhYccCb\n"
    "5gXGT8FNAgMBAAECgf8Wd2In9dJdDUFSjMLzWz5Z4/zP+X8fVEngmb4AyAsZn/UW\n"
    "7NzrBttz4Cha4GvWtb8tshpApsEoNtwbCDDLqtGqELJrZyvnuGmXDX3Kx33xSbr6\n"
    "2Pz+Vd2l0rTGEDHKFCb5eSNqcvbCZ81g5PdqqIOQEJdKWPyjnJpIM0G6OLwk2P55\n"
    "etIKKCYBWgbInGbOO+cWQ1AFF63UX24MmRpzbVt5sQOMj+GCofmWyj4ymsuNxpqh\n"
    "ajR5pE+oKagiEsVo205DSGGr+L624B81vIY17RRJDgkZvyuO2sbhfItrW7P0waCT\n"
    "Y2NuiQivdlzlcmQut7ohr+ypcmww9pzKMDgYA1ECgYEA5bS9HeR7jt5XFxM2VBZw\n"
    "bVXf/d0SRH6CiN9WqKlAa1Jh5RT1jjI8ZOhKBO1ZjBojB0rZ0nvwdKw+tM29u4le\n"
    "JMkIGkaZEgf1Sl3gpQQTyvugwQo1UIGZoWL/WNUabPfpUqej0V9YCDmZDG6ylkcf\n"
    "OvGK9M7urLAg+/cABse2hRkCgYEAx0Tz2mHt7bL+N5uY1YsmWCbEKH9CxVAA4EFA\n"
    "IiqisT2mzKrnq86quzUk3TyETxSZnZ+dNSN/KKBzgezanrNgvRdoHhXq4nogU0I9\n"
    "xUgr1lGB04PLCw5+OqPZdncoboFg/1G7ZqO8HrySwtlH3/MV/yR59C944q6HYyCD\n"
    "xQoEEFUCgYAa6xM+bYgNNgD+s0GqmPaT2XxmQ4HghPLHF2UQXsUtznmqXspn33s0\n"
    "WARUj3vu7yEruZnNELkc8xJmHbYeQ/rEVMqeSaemdUhJbrbkn5WyM8qi1I9q38Uh\n"
    "JHjH8DEok+TDyuFnp8SpMha9XjuPYMZIIgYmqhlOI1W6MTfPk5fQAQKBgBKMJHZr\n"
    "Lw403tymKu+VaBhEY3WxgrGC5NH6wNFtTn9Y0bGzJqUjM1kBdVDyVQ5XSIUXWjab\n"
    "+zX42Ud6mE61O4feKd7DA33ZCDE3tTArq4jjRUY+uiNpUe57Wb5hEO5YNIMPRHYl\n"
    "P1lNDAv+1WXO5nk9F+zWjlXrEMb1O86XRBGRAoGAAvTKuJyGeEBL7l/CYSCbcMhn\n"
    "T+7uyW/BhDbYYnnorF8tt9NT4Z7kfvbJmeXIZQytncJUSI6m+YXFyXHqdqAvPK2z\n"
    "00z1o+w7AxVk4WI9W/VLvmkHzfgi1mkD7mdgOWsksGCAjHfMmGFsiY3V3Vc33blo\n"
    "rtwnUOn9GWJiVBLZdXI=\n"
    "-----END PRIVATE KEY-----\n";

static const char rsa_public[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAss1d0vvYIXr5sYP8Bj6P\n"
    "lEz5qCeZT4aWNCy5MpeU8Wvl2e0NV/42ODyRFtJydcT9ySiz+2OJwBVbapRDmg+A\n"
    "pjVHgXVzMt623TxWTxYoO0Oyi+U3xY916vQ5zmncVxDHYyddSvm8r1/+R92bA6VA\n"
    "GdQgAin/5O4HHPBkO4RXzO7gnfWjieEJIeoerpOfBNLKsbCdVkVguwd3GNpT1shi\n"
    "FmQhwcts+7SalZf966NvrU/Ona7BxgJ5NfBmLn+283ufLhMxXf/598S6KPCHDtZ/\n"
    "K7cKhE9x4odKqsRR3WT9zy8g4vIqpEuWz6zba5qYatOtnKHf1ZaoWHHAm+YFxk/B\n"
    "TQIDAQAB\n"
    "-----END PUBLIC KEY-----\n";

static const char small_rsa_private[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBAJ1eEezdsMDU2uku\n"
    "8ZXiOSBCJ3V8RSY6ge9431KfmafiaRPaz5pp4muhnzk4cnunGOMSVIKaZRgsz1Zc\n"
    "81XJgV/mHJSemZ9NNkekHKB5tSWuO1RD8DEhdHSbeFVlQC/ZTc8EMidhlvWsN0YW\n"
    "o6d8WEjTFFC+PNet5DHkp9nUM4mHAgMBAAECgYAOkNBz7ikYEBubDb9Ksj+7XqQs\n"
    "Wa5E1ZGFStjQ2vjr8ybqsYwZrMdKUxFbyH/ANj01d1LfK89Dp5IhWkUjoZ0Z0A+w\n"
    "t1M25447f8jXzIwyZFC814N/IN+QPdj2E2ZhF2Pawy36VVhuX1+bsU+4wyFz5WMI\n"
    "In1YpD2+t54flh78sQJBANGw9OlevnbA1xfDaMTLRwyvqw+fAMBHHOOHLDtljVZZ\n"
    "DqtUkvAp6dEr9Gq5HtyiI/+TaLnb9x/C2fKUUDZivk0CQQDAHvOQQ3pWc/XSpLFx\n"
    "ujnERc8tC0ZPK3BOIcf/jElOKcBNsV9L6v2D2tNc8Bnu38vplBYfU1McKtdBTAm7\n"
    "lhkjAkB52LvXx8ghNVlHY7NDd2OnyYQ7JYfIMwpkZC2drhr86+8MO67Og2xssX/r\n"
    "a/q09jq4zi1yopDtEcqXnPsnPyWZAkBSRa7l64+bMCNoJjD609XjEEYNMxPT2XVJ\n"
    "cDv2WnwV5dk9LCT0HNidu3riBMwGOH5ZM5pZpdQkbtApXUeZtkhjAkEApN/7NhV5\n"
    "P4pfSd7VEhSXP81OHTXUVd6xWgHkxmqsyuRXKHL6RJxYsAZPXtZdJPC4UUSMzDLf\n"
    "GLPyYSqHcmoDIg==\n"
    "-----END PRIVATE KEY-----\n";

static const char small_rsa_public[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCdXhHs3bDA1NrpLvGV4jkgQid1\n"
    "fEUmOoHveN9Sn5mn4mkT2s+aaeJroZ85OHJ7pxjjElSCmmUYLM9WXPNVyYFf5hyU\n"
    "npmfTTZHpBygebUlrjtUQ/AxIXR0m3hVZUAv2U3PBDInYZb1rDdGFqOnfFhI0xRQ\n"
    "vjzXreQx5KfZ1DOJhwIDAQAB\n"
    "-----END PUBLIC KEY-----\n";

static const char p256_private[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgyuj14uEz/6RiUQyL\n"
    "7PA61sd9wL+HWe3RTKgn6HSDYe+hRANCAAT9YnMk6yjvcVrLzc3hopOhj6oG1wP/\n"
    "2qciUy6SZOoXMDzT6N2Iqib8sqDz0+BQF7WrQ4QAoWlRLUgHwO3p2BCB\n"
    "-----END PRIVATE KEY-----\n";

static const char p256_public[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE/WJzJOso73Fay83N4aKToY+qBtcD\n"
    "/9qnIlMukmTqFzA80+jdiKom/LKg89PgUBe1q0OEAKFpUS1IB8Dt6dgQgQ==\n"
    "-----END PUBLIC KEY-----\n";

static const char p384_private[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDBdof9irJzntInGFv4B\n"
    "q+bdNyZPwzCCSLmk1FrdRLiZ3rPK4iCzBrghXH7J958WG8uhZANiAAREv9SrwMeK\n"
    "EvtQgsW6vcCzo2dTxQ8LtHHH3+pnLEmtbt8eC20mmKO/9O+iAlQ9TTVeooByaJu9\n"
    "b99OPINcNBIJggN7+iimR68tZmDSNxgRY4vo6qwFtDKMf9wEb1wz960=\n"
    "-----END PRIVATE KEY-----\n";

#endif
