package codec

import "strconv"

// A ResponseCode says how a request went. It is not an error: see the
// package that answers requests. Java: ResponseCode, RemotingSysResponseCode.
type ResponseCode int32

// The codes a name server answers with.
const (
	RespSuccess                 ResponseCode = 0    // SUCCESS
	RespSystemError             ResponseCode = 1    // SYSTEM_ERROR
	RespSystemBusy              ResponseCode = 2    // SYSTEM_BUSY
	RespRequestCodeNotSupported ResponseCode = 3    // REQUEST_CODE_NOT_SUPPORTED
	RespNoPermission            ResponseCode = 16   // NO_PERMISSION
	RespTopicNotExist           ResponseCode = 17   // TOPIC_NOT_EXIST
	RespQueryNotFound           ResponseCode = 22   // QUERY_NOT_FOUND
	RespGoAway                  ResponseCode = 1500 // GO_AWAY, understood by clients newer than 5.3.1
)

// String returns the Java name, or the number where there is none.
func (c ResponseCode) String() string {
	switch c {
	case RespSuccess:
		return "SUCCESS"
	case RespSystemError:
		return "SYSTEM_ERROR"
	case RespSystemBusy:
		return "SYSTEM_BUSY"
	case RespRequestCodeNotSupported:
		return "REQUEST_CODE_NOT_SUPPORTED"
	case RespNoPermission:
		return "NO_PERMISSION"
	case RespTopicNotExist:
		return "TOPIC_NOT_EXIST"
	case RespQueryNotFound:
		return "QUERY_NOT_FOUND"
	case RespGoAway:
		return "GO_AWAY"
	}
	return strconv.Itoa(int(c))
}
