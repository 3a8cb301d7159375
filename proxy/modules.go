package proxy

import "redis-cluster-proxy/resp"

// SetModules says what HELLO tells of the servers' modules: for each of them names and
// values in turn, which are strings, numbers and lists of strings. Without a call there
// are none. Safe at any time.
func (s *Server) SetModules(modules []any) { s.modules.Store(&modules) }

// appendModules appends the last value of HELLO.
func (s *Server) appendModules(b []byte, proto resp.Proto) []byte {
	known := s.modules.Load()
	if known == nil {
		return resp.AppendArrayHeader(b, 0)
	}
	b = resp.AppendArrayHeader(b, len(*known))
	for _, module := range *known {
		fields, _ := module.([]any)
		b = resp.AppendMapHeader(b, proto, len(fields)/2)
		for _, v := range fields[:len(fields)/2*2] {
			b = appendGeneric(b, v)
		}
	}
	return b
}

// appendGeneric appends a string, a number, or an array of such.
func appendGeneric(b []byte, v any) []byte {
	switch v := v.(type) {
	case int64:
		return resp.AppendInt(b, v)
	case []any:
		b = resp.AppendArrayHeader(b, len(v))
		for _, element := range v {
			b = appendGeneric(b, element)
		}
		return b
	case string:
		return resp.AppendBulkString(b, v)
	}
	return resp.AppendBulkString(b, "")
}
