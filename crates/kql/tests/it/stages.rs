//! Operators that make rows of values, values of text, or work on parts of a table: what each case gives, beside it.
//!
//! What is expected stands in the snapshots: every line of it is from the operator's documentation, from its examples or
//! from what the service is known to do.

use crate::support::{refused, run, schema};
use kql::{Catalog, Limits, MemoryTables, Scan, Schema, Tables, Type, Value, Wanted};
use proptest::prelude::*;

fn check(name: &str, told: &str) {
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(name, told) });
}

/// The queries, each with its result or the codes of its errors.
fn told(queries: &str) -> String {
    let tables = MemoryTables::new();
    let mut all = Vec::new();
    for query in queries.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let refused = refused(&tables, query);
        let result = if refused.is_empty() {
            run(&tables, query)
        } else {
            format!("! {}", refused.join(" "))
        };
        all.push(format!("> {query}\n{result}"));
    }
    all.join("\n\n")
}

#[test]
fn window_functions() {
    check(
        "window_functions",
        &told(
            r#"
        datatable(a:long,s:string)[1,"x",2,"z",3,"x"] | serialize | extend p=prev(a), n=next(s), q=prev(s), c=row_cumsum(a), m=row_number(), k=row_rank_dense(s), j=row_rank_min(s)
        datatable(a:long)[1,2] | extend n=row_number()
        datatable(a:long)[1,long(null),3] | serialize | extend n=row_cumsum(a)
        datatable(a:long)[1,2,3] | where a>1 | serialize cs=row_cumsum(a)
        range a from 1 to 4 step 1 | where row_number() > 2
        range a from 1 to 4 step 1 | project p=prev(a), n=next(a,2,-1), d=a-prev(a)
        range a from 1 to 4 step 1 | extend x=iff(row_number()==1, 0, prev(a)), y=row_cumsum(iff(prev(a)>1,1,0))
        range a from 1 to 4 step 1 | extend prev(a), next(a), row_number()
        range a from 1 to 4 step 1 | summarize max(prev(a)), make_list(next(a))
        range a from 1 to 4 step 1 | extend b=a%2 | summarize arg_max(prev(a), *) by b
        range a from 1 to 4 step 1 | extend b=prev(a) | where isnotnull(b) | extend c=row_number()
        range a from 1 to 4 step 1 | sort by row_number() desc
        range a from 1 to 4 step 1 | top 2 by row_number() desc
        range a from 1 to 4 step 1 | summarize count() by g=row_number()%2
        range a from 1 to 4 step 1 | distinct x=row_number()%2
        range a from 1 to 4 step 1 | extend r=row_number(0, a==3), s=row_number(10)
        range a from 1 to 4 step 1 | extend r=row_cumsum(a, a==3), s=row_cumsum(1.5)
        range a from 1 to 4 step 1 | extend r=row_rank_dense(a/2), s=row_rank_min(a/2), t=row_rank(a/2)
        range a from 1 to 4 step 1 | extend r=prev(a, 0), s=next(a, 0), t=prev(a,2), u=next(a,2)
        range a from 1 to 4 step 1 | extend r=prev(a, -1)
        range a from 1 to 3 step 1 | extend s=tostring(a) | extend p=prev(s), q=next(s,1,"end")
        let f = (x:long){ x + 1 }; range a from 1 to 3 step 1 | extend y = f(prev(a))
        let f = (x:long){ prev(x) }; range a from 1 to 3 step 1 | extend y = f(a)
        range a from 1 to 3 step 1 | extend z=prev(a) | extend q=prev(z)
        print prev(1)
        print row_number()
        range a from 1 to 3 step 1 | take 2 | extend n=row_number()
        range a from 1 to 3 step 1 | count | extend n=row_number()
        range a from 1 to 3 step 1 | union (print a=1) | extend n=row_number()
        range a from 1 to 3 step 1 | sort by a desc | where a > 1 | project b=a | extend n=row_number()
        range a from 1 to 3 step 1 | sort by a desc | project-rename b=a | extend n=row_number()
        range a from 1 to 3 step 1 | extend b=a%2 | summarize count() by b | extend n=row_number()
        range a from 1 to 3 step 1 | distinct a | extend n=row_number()
        range a from 1 to 3 step 1 | join (print a=1) on a | extend n=row_number()
        range a from 1 to 3 step 1 | getschema | extend n=row_number()
        range a from 1 to 3 step 1 | serialize b=a*2, n=row_number()
        range a from 1 to 3 step 1 | extend n=row_number(1, true, 2)
        range a from 1 to 3 step 1 | extend n=row_number('x')
        range a from 1 to 3 step 1 | extend n=row_cumsum('x')
        range a from 1 to 3 step 1 | extend n=row_cumsum(a, 1)
        range a from 1 to 3 step 1 | extend n=prev(a+1)
        range a from 1 to 3 step 1 | extend n=row_window_session(a, 1h, 5m)
        range a from 1 to 3 step 1 | extend i=toint(a) | extend c=row_cumsum(i)
        datatable(i:string, t:datetime)["1",datetime(2024-04-11 10:00),"1",datetime(2024-04-11 11:00),"2",datetime(2024-04-11 10:16),"2",datetime(2024-04-11 10:18),"2",datetime(null),"2",datetime(2024-04-11 10:19),"3",datetime(2024-04-11 10:20)] | serialize | extend s=row_window_session(t, 1h, 5m, i != prev(i))
        range t from datetime(2024-01-01) to datetime(2024-01-01 00:10) step 2m | extend s=row_window_session(t, 5m, 5m), u=row_window_session(t, 1h, 2m)
        range a from 1 to 3 step 1 | summarize row_number()
        range a from 1 to 3 step 1 | extend n=row_number() | summarize sum(n)
        "#,
        ),
    );
}

#[test]
fn mv_expand() {
    check(
        "mv_expand",
        &told(
            r#"
        datatable(a:long,d:dynamic)[1,dynamic([1,2]),2,dynamic([]),3,dynamic(null),4,dynamic(5),5,dynamic("x"),6,dynamic({"k":1,"j":2}),7,dynamic({})] | mv-expand d
        datatable(a:long,d:dynamic)[1,dynamic([1,2]),2,dynamic([]),3,dynamic(null),4,dynamic(5),5,dynamic("x"),6,dynamic({"k":1,"j":2}),7,dynamic({})] | mv-expand with_itemindex=i d
        datatable(a:long,d:dynamic)[1,dynamic([1,2]),6,dynamic({"k":1,"j":2}),7,dynamic({})] | mv-expand kind=array d
        print d=dynamic([1,"2",3.7,true,null,"abc",{"a":1}]) | mv-expand d to typeof(long)
        print d=dynamic([1,"2",3.7,true,null,"abc",{"a":1}]) | mv-expand d to typeof(string)
        print d=dynamic([1,"2",3.7,true,null,"abc",{"a":1}]) | mv-expand d to typeof(real)
        print d=dynamic([1,"2",3.7,true,null,"abc",{"a":1}]) | mv-expand d to typeof(bool)
        print d=dynamic([1,2]), e=dynamic(["a"]) | mv-expand d, e to typeof(string)
        print d=dynamic([1,2]), e=dynamic(null) | mv-expand d, e
        print d=dynamic([]), e=dynamic(["a"]) | mv-expand d, e
        print d=dynamic([]), e=dynamic(null) | mv-expand d, e
        print d=dynamic([]) | mv-expand with_itemindex=i d, d2=d
        print d=dynamic([1,2,3]) | mv-expand d limit 2
        print d=dynamic([1,2,3]) | mv-expand x=d limit 0
        print d=dynamic([1,"2",3.7,true,null,"abc",{"a":1}]) | mv-expand d to typeof(int)
        print d=dynamic([1,"2",3.7,true,null,"abc",{"a":1},0]) | mv-expand d to typeof(bool)
        print d=dynamic([1,"2",3.7,true,null,"abc",{"a":1}]) | mv-expand d to typeof(decimal)
        print d=dynamic([1,"2",[3],"abc",{"a":1}]) | mv-expand d to typeof(dynamic)
        print d=dynamic([1e3, -3.7, 99999999999, 1e30]) | mv-expand d to typeof(long)
        print d=dynamic([1e3, -3.7, 99999999999, 1e30]) | mv-expand d to typeof(int)
        print d=dynamic(["a"]) | mv-expand d limit 3
        print d=dynamic({"a":[1,2]}) | mv-expand d.a
        print d=dynamic({"a":[1,2]}) | mv-expand x=d.a to typeof(long)
        print d=dynamic({"a":[1,2]}) | mv-expand d.b
        print s="a,b" | mv-expand split(s, ",")
        print s="a,b" | mv-expand x=split(s, ",") to typeof(string)
        print d=dynamic({"k":1,"j":2}) | mv-expand d to typeof(string)
        print d=dynamic({"k":1,"j":2}) | mv-expand kind=array d to typeof(string)
        print d=dynamic({"k":1,"j":2}) | mv-expand d to typeof(long)
        print d=dynamic(5) | mv-expand d to typeof(string)
        print d=dynamic(5) | mv-expand d to typeof(long)
        print d=parse_json("") | mv-expand d
        range x from 1 to 4 step 1 | summarize x = make_list(x) | mv-expand with_itemindex=Index x
        print d=dynamic([1,2]) | mv-expand d, d
        print d=dynamic([1,2]) | mv-expand x=d, d=d
        print d=dynamic([1,2]) | mv-expand kind=foo d
        print s="x" | mv-expand s
        print d=dynamic([1,2]), s="x" | mv-expand with_itemindex=s d
        print d=dynamic([1,2]), s="x" | mv-expand bagexpansion=array with_itemindex=i s=d
        print d=dynamic([[1,2],[3]]) | mv-expand d | mv-expand d
        print d=dynamic([1,2,3]) | mv-expand d limit 'a'
        print d=dynamic(["2020-01-01", "2020-01-01T10:00:00Z", "1/2/2020", "2020", 5]) | mv-expand d to typeof(datetime)
        print d=dynamic([{"a":1},{"b":2}]) | mv-expand d | extend a=d.a
        print d=dynamic([1,null,2]) | mv-expand d to typeof(string)
        "#,
        ),
    );
}

#[test]
fn mv_apply() {
    check(
        "mv_apply",
        &told(
            r#"
        print d=dynamic([1,2,3]) | mv-apply d to typeof(long) on (summarize s=sum(d))
        datatable(a:long,d:dynamic)[1,dynamic([1,2]),2,dynamic([]),3,dynamic(null)] | mv-apply d to typeof(long) on (summarize s=sum(d), c=count())
        datatable(a:long,d:dynamic)[1,dynamic([1,2]),2,dynamic([]),3,dynamic(null)] | mv-apply x=d to typeof(long) on (where x > 1)
        datatable(a:long,d:dynamic)[1,dynamic([1,2]),2,dynamic([3])] | mv-apply x=d to typeof(long) on (extend a = x*2)
        datatable(a:long,d:dynamic)[1,dynamic([1,2]),2,dynamic([3])] | mv-apply d to typeof(long) on (project d, b=a)
        datatable(l:long,d:dynamic)[1,dynamic([5,1,3]),2,dynamic([4,10,8,7])] | mv-apply x=d to typeof(long) on (top 2 by x | summarize t=make_list(x))
        datatable(l:long,d:dynamic)[1,dynamic([5,1,3]),2,dynamic([4,10,8,7])] | mv-apply with_itemindex=i v=d to typeof(long) on (where i >= 2)
        datatable(a:dynamic,b:dynamic)[dynamic(['A1','A2']),dynamic(['B1','B2','B3'])] | mv-apply x=a, y=b on (extend o=strcat(x,"_",y) | summarize o=make_list(o))
        datatable(l:long,d:dynamic)[1,dynamic([5,1,3])] | mv-apply d to typeof(long) on (summarize d=sum(d))
        datatable(l:long,d:dynamic)[1,dynamic([5,1,3])] | mv-apply d to typeof(long) on (count)
        datatable(l:long,d:dynamic)[1,dynamic([5,1,3])] | mv-apply d=d to typeof(long) on (count)
        datatable(l:long,d:dynamic)[1,dynamic([5,1,3])] | mv-apply x=d to typeof(long) limit 2 on (summarize s=sum(x))
        datatable(l:long,d:dynamic)[1,dynamic([5,1,3])] | mv-apply x=d to typeof(long) on (project-rename z=l | take 1)
        datatable(l:long,d:dynamic)[1,dynamic([5,1,3])] | mv-apply x=d to typeof(long) on (sort by x asc | extend n=row_number())
        datatable(l:long,d:dynamic)[1,dynamic({"a":1,"b":2})] | mv-apply x=d on (mv-expand kind=array p=d | where p[0] == "a" | project k=p[1])
        datatable(l:long,d:dynamic)[1,dynamic([1,2]),2,dynamic([2,3])] | mv-apply x=d to typeof(long) on (join kind=inner (datatable(x:long,n:string)[2,"two"]) on x | project n)
        datatable(l:long,d:dynamic)[1,dynamic([[1,2],[3]]),2,dynamic([[4]])] | mv-apply x=d on (mv-apply y=x to typeof(long) on (summarize s=sum(y)) | summarize t=sum(s))
        datatable(l:long,d:dynamic)[1,dynamic([1,2])] | mv-apply x=d on (as Y | union Y | count)
        datatable(l:long,d:dynamic)[1,dynamic([1,2])] | mv-apply x=l on (take 1)
        datatable(l:long,d:dynamic)[1,dynamic([1,2])] | mv-apply x=d on ()
        datatable(l:long,d:dynamic)[1,dynamic([1,2])] | mv-apply x=d
        "#,
        ),
    );
}

#[test]
fn parse() {
    check(
        "parse",
        &told(
            r#"
        print s="hello world foo" | parse s with "hello " x " foo"
        print s="hello world foo bar" | parse s with "hello " x " foo"
        print s="say hello world foo" | parse s with "hello " x
        print s="hello world foo" | parse s with * "wor" x " " *
        print s="a1b2" | parse s with "a" x:long "b" y:long
        print s="a1b2c" | parse s with "a" x:long "b" y:long
        print s="axb2" | parse s with "a" x:long "b" y:long
        print s="axb2" | parse kind=relaxed s with "a" x:long "b" y:long
        print s="axb2" | parse kind=relaxed s with "a" x:long "c" y:long
        print s="a1" | parse s with x
        print s="a1b" | parse s with x:long
        print s="12" | parse s with x:long
        print s="a1b" | parse s with "a" x:long *
        print s="a=1;b=2;" | parse s with "a=" x ";" "b=" y ";" *
        print s="a=1;b=2;" | parse s with * "b=" y:int ";"
        print s="a=1.5;b" | parse s with "a=" y:long *
        print s="a=1.5;b" | parse s with "a=" y:real *
        print s="a= 15 ;b" | parse s with "a=" y:long ";" *
        print s="x: 2020-01-01 10:00:00 end" | parse s with "x: " y:datetime " end"
        print s="x: true end" | parse s with "x: " y:bool " end"
        print s="x: 1.02:03:04 end" | parse s with "x: " y:timespan " end"
        print s="" | parse s with "a" x "b" y:long
        print s="aabb" | parse s with "a" x "b" *
        print s="AxB" | parse s with "a" x "b"
        print s="ab" | parse s with "a" x "b"
        print s="ab12" | parse-where s with "a" x:long
        print s="ab12" | parse-where s with "ab" x:long
        print s="ab12", x=5 | parse s with "ab" x:long
        print s="zz", x="orig" | parse s with "ab" x
        print s="k1=v1,k2=v2" | parse kind=regex s with @"k\d=" x @",k\d=" y
        print s="k1=v1,k2=v2" | parse kind=regex flags=U s with * "k" x "="  *
        print s="k1=v1,k2=v2" | parse kind=regex s with * "k" x "="  *
        print s="K1=v1,k2=v2" | parse kind=regex flags=i s with "k" x "=" *
        print s='{"a":1}' | parse s with "{" x:dynamic "}"
        print s='a[1]' | parse s with "a" x:dynamic
        print s="zk1=v1" | parse kind=regex s with @"k\d=" x
        print s="zk1=v1 end" | parse kind=regex s with @"k\d=" x @"\s"
        print s="a12b" | parse kind=regex s with "a" x:long "b"
        print s="a12b" | parse kind=regex s with "a" x:long
        print s="a-12b" | parse kind=regex s with "a" x:long "b"
        print s="a 12 b" | parse kind=regex s with "a" x:long "b"
        print s="a1.5b" | parse kind=regex s with "a" x:real "b"
        print s="axb" | parse kind=regex s with "a" x:real "b"
        print s="a1b2a3b" | parse kind=regex s with "a" x "b"
        print s="a2020-01-01b" | parse kind=regex s with "a" x:datetime "b"
        print s="atrueb" | parse kind=regex s with "a" x:bool "b"
        print s="a1b" | parse kind=regex s with "A" x:bool "b"
        print s="a1.5b" | parse s with "a" x:long "b"
        print s="a1 2b" | parse s with "a" x:long "b"
        print s="a 1 b" | parse s with "a" x:long "b"
        print s="a b" | parse s with "a" x:long "b"
        print s="ab" | parse s with "a" x:long "b"
        print s="a99999999999b" | parse s with "a" x:int "b"
        print s="a1b" | parse s with "a" x:bool "b"
        print s="aTRUEb" | parse s with "a" x:bool "b"
        print s="a1.5e3b" | parse s with "a" x:real "b"
        print s="a-1.5b" | parse s with "a" x:real "b"
        print s="a+1b" | parse s with "a" x:long "b"
        print s="a0x10b" | parse s with "a" x:long "b"
        print s="a1,5b" | parse s with "a" x:long "b"
        print s="axb2020-01-01" | parse s with "a" x:datetime "b" y:datetime
        print s="axb2020-01-01" | parse kind=relaxed s with "a" x:datetime "b" y:datetime
        print s="a74be27de-1e4e-49d9-b579-fe0b331d3642b" | parse s with "a" x:guid "b"
        print s="a74be27de-1e4e-49d9-b579-fe0b331d3642c" | parse s with "a" x:guid "c"
        print s="a1.50b" | parse s with "a" x:decimal "b"
        print s="a1b2c3" | parse s with "a" x:long * "c" y:long
        print s="a1.9b2c3" | parse s with "a" x:long * "c" y:long
        print s="axb2c3" | parse s with "a" x:long * "c" y:long
        print s="axb2c3" | parse kind=relaxed s with "a" x:long * "c" y:long
        print s="a 7 b" | parse s with "a" x:long *
        print s="a2020-01-01 10:00 b" | parse s with "a" x:datetime *
        print s="a2020-01-01,b" | parse s with "a" x:datetime *
        print s="a01:00:00,b" | parse s with "a" x:timespan *
        print s="atrue,b" | parse s with "a" x:bool *
        print s="a1.5,b" | parse s with "a" x:real *
        print s="a{},b" | parse s with "a" x:dynamic *
        print s="xx5yy" | parse s with * "xx" x:long "yy" *
        print s="xx5yyxx6yy" | parse s with * "xx" x:long "yy" *
        print s="xxayyxx6yy" | parse s with * "xx" x:long "yy" *
        print s="xxayyxx6yy" | parse s with * "xx" x "yy"
        print s="xx6yyz" | parse s with * "xx" x "yy"
        print s="xx6yyz" | parse s with * "xx" x "yy" *
        print s="abc" | parse s with "a" *
        print s="abc" | parse s with * "b" x
        print s="abcabc" | parse s with * "b" x
        print s="abc" | parse s with "abc" x
        print s="abc" | parse s with * "abc" x:long
        print l=12345 | parse l with "1" x "5"
        print r=1.0 | parse r with x "." y
        print b=true | parse b with "T" x
        print d=dynamic({"a":"k=5"}) | parse d.a with "k=" x:long
        print d=dynamic(["a",1]) | parse d with "[" x "]"
        print s="a.b" | parse s with "a." x
        print s="k=v; K2=v2" | parse s with * "k=" x ";" * "K2=" y
        print s="xaxb" | parse s with "x" p "x" q
        print s="one two  three" | parse s with a " " b " " c
        print s="one two three" | parse s with * " " b " " c
        print s="k1=v1,k2=v2" | parse kind=regex flags=U s with "k1=" x
        print s="k1=v1,k2=v2" | parse kind=regex flags=U s with "k1=" x ","
        print s="k1=v1,k2=v2" | parse kind=regex flags=U s with "k1=" x "," y
        print s="k1=12,k2=34" | parse kind=regex flags=U s with "k1=" x:long "," *
        print s="k1=12,k2=34" | parse kind=regex flags=U s with "k1=" x:long
        print s="k1=v1,k2=v2" | parse kind=regex s with "k1=" x ","
        print s="k1=v1,k2=v2" | parse kind=regex s with "k1=v" x:long ",k2" *
        print s="k1=vx,k2=v2" | parse kind=regex s with "k1=v" x:long ",k2=" y
        print s="k1=12.5 b" | parse kind=regex s with "k1=" x:real
        print s="k1=12 b" | parse kind=regex s with "k1=" x:real " "
        print s="k1=true b" | parse kind=regex s with "k1=" x:bool
        print s="k1=true b" | parse kind=regex s with "k1=" x:bool " b"
        print s="k1=2020-01-01 b" | parse kind=regex s with "k1=" x:datetime " b"
        print s="k1=2020-01-01 b" | parse kind=regex s with "k1=" x:datetime
        print s="k1=74be27de-1e4e-49d9-b579-fe0b331d3642 b" | parse kind=regex s with "k1=" x:guid
        print s="k1=1d b" | parse kind=regex s with "k1=" x:timespan " b"
        print s="k1=1d b" | parse kind=regex s with "k1=" x:timespan
        print s="a|b" | parse kind=regex s with "a|b" x
        print s="xa(1)y" | parse kind=regex s with "a(.)" x
        print s="x1y2" | parse kind=regex s with "x" a:long "y" b:long
        print s="x1y2z" | parse kind=regex s with "x" a:long "y" b:long
        print s="x1y2z" | parse s with "x" a:long "y" b:long
        print s="x1y2z" | parse kind=relaxed s with "x" a:long "y" b:long
        print s="x1y2z" | parse kind=relaxed s with "x" a:long "y" b:long "q"
        print s="Event: A (name=x, n=27, at=02/17/2016 08:40:01)" | parse s with * "name=" nm ", n=" n:long ", at=" at:datetime ")"
        print s="Event: A (name=x, n=27, at=02/17/2016 08:40:01)" | parse s with * "name=" nm ", n=" n:long ", at=" at:date ")" *
        print s="a==b==c" | parse s with x:string "==" y:string
        print s="a==b==c" | parse s with * "==" y:string
        print s="12 apples" | parse s with n:long " " what
        print s="1.5.7" | parse s with a:int "." b:int "." c:int
        print s="2" | parse s with * n:int
        print s="user=bob" | parse s with "user=" u:string ""
        print s="" | parse s with * "a" x
        print s="" | parse s with x
        print s="ab" | parse s with x y
        print s="ab" | parse s with x * y
        print s="ab" | parse s with "a" x * "b"
        print s="ab" | parse s with * * "b"
        print s="ab" | parse s with "a" x "b" x
        print s="ab" | parse s
        print s="ab" | parse kind=foo s with "a"
        print s="ab" | parse s with * x:long *
        print s="a1b" | parse s with "a" ['x y']:long "b"
        print s="a(b" | parse kind=regex s with "(" x
        print s="lines\nmore end" | parse s with "lines" x "end"
        print s="lines\nmore end" | parse kind=regex s with "lines" x "end"
        print s="lines\nmore end" | parse kind=regex flags=s s with "lines" x "end"
        "#,
        ),
    );
}

#[test]
fn parse_kv() {
    check(
        "parse_kv",
        &told(
            r#"
        print s="a:1, b:2" | parse-kv s as (a:long, b:long) with (pair_delimiter=',', kv_delimiter=':')
        print s="a=1 b=2" | parse-kv s as (a:long, b:long)
        print s='name=John Doe phone=555 5555 city=New York' | parse-kv s as (name:string, phone:string, city:string) with (pair_delimiter=' ', kv_delimiter='=')
        print s='name=John Doe phone=555 5555 city=New York' | parse-kv s as (name:string, phone:string, city:string) with (pair_delimiter=' ', kv_delimiter='=', greedy=true)
        print s='src=10.1.1.123 failure="connection aborted" "event time"=2021-01-01T10:00:54' | parse-kv s as (['event time']:datetime, src:string, failure:string) with (pair_delimiter=' ', kv_delimiter='=', quote='"')
        print s='src=10.1.1.123 failure=(connection aborted) (event time)=(2021-01-01 10:00:54)' | parse-kv s as (['event time']:datetime, src:string, failure:string) with (pair_delimiter=' ', kv_delimiter='=', quote='()')
        print s='failure="sent \\"bye!\\"" t=5' | parse-kv s as (t:long, failure:string) with (pair_delimiter=' ', kv_delimiter='=', quote='"', escape='\\')
        print s="2021-01-01T10:00:34 [INFO] ThreadId:458745723, Machine:Node001, Text: Started" | parse-kv s as (Text:string, ThreadId:long, Machine:string)
        print s="ThreadId:4, Text: 'The service \\' is up'" | parse-kv s as (Text:string, ThreadId:long) with (quote="'", escape='\\')
        print s=@'["referer url: https://h/r", "id: 24fefbca-cf27-4d62-a623-249c2ad30c73"]' | parse-kv s as (['referer url']:string, id:guid) with (regex=@'"([\w ]+)\s*:\s*([^"]*)"')
        print s="a=1,a=2" | parse-kv s as (a:long) with (pair_delimiter=',', kv_delimiter='=')
        print s="a=x,b=" | parse-kv s as (a:long, b:string, c:string) with (pair_delimiter=',', kv_delimiter='=')
        print s="", a=7 | parse-kv s as (a:long) with (pair_delimiter=',', kv_delimiter='=')
        print s="a=((1" | parse-kv s as (a:string) with (pair_delimiter=',', kv_delimiter='=', quote='()')
        print s="a=1" | parse-kv s as (a:long, a:string) with (pair_delimiter=',', kv_delimiter='=')
        print s="a=1" | parse-kv s as (a:long) with (regex='a')
        print s="a=1" | parse-kv s as (a:long) with (foo=1)
        "#,
        ),
    );
}

#[test]
fn search() {
    check(
        "search",
        &told(
            r#"
        datatable(a:long,s:string)[1,"x y",2,"z"] | search "x"
        datatable(a:long,s:string)[1,"x y",2,"z"] | search s:"x"
        datatable(a:long,s:string)[1,"x y",2,"z"] | search "1"
        let A=datatable(a:long,s:string)[1,"x y",2,"z"]; search in (A) "x"
        datatable(a:long,s:string)[1,"x y",2,"z"] | as Q | search "x"
        datatable(a:long,s:string)[1,"x y",2,"z"] | where * has "x"
        datatable(a:long,s:string)[1,"x y",2,"z"] | where * has "1"
        print x="a" | where * == "a"
        print x="a", y=1 | where * == 1
        print x="a", y=1 | where * > 1
        print x="a", d=dynamic({"k":"needle"}) | search "needle"
        print x="alpha beta" | search "alp*"
        print x="alpha beta" | search "*pha"
        print x="alpha beta" | search "*lph*"
        print x="alpha beta" | search "al*ta"
        print x="alpha beta" | search "al*et"
        print x="alpha beta" | search *
        print x="alpha beta" | search "*"
        print x="Alpha beta" | search kind=case_sensitive "alpha"
        print x="Alpha beta" | search kind=case_sensitive "Alpha"
        print x="Alpha beta" | search "alpha" and not("gamma")
        print x="Alpha beta", n=5 | search "alpha" and n == 5
        print x="Alpha beta", n=5 | search x has "alpha" or n > 7
        print x="Alpha beta", n=5 | search n:"5"
        let A=print x="foo"; let B=print y="foo bar"; search in (A, B) "foo"
        let A=print x="foo"; search in (A) x:"foo" | project $table, x
        let A=print x="foo"; union A, (print x="bar") | search "bar"
        let A=print x="foo", n=1; let B=print y="foo bar"; search in (A, B) "foo" and n == 1
        let A=print x="foo"; let B=print y="foo bar"; search in (A, B) y:"foo"
        let A=print x="foo"; let B=print x="foo bar"; search in (A, B) "foo" and $table == "B"
        let A=print x="foo"; search in (A) "A"
        range a from 1 to 3 step 1 | extend s="foo" | search "foo" | extend n=row_number()
        search "foo"
        print x="foo" | search in (T) "foo"
        print x="foo" | search 5
        print x="foo" | search "foo" "bar"
        print x="foo" | search x == "foo"
        print x="a.b.c" | search x matches regex "a.b"
        print x="foo" | search nosuch:"foo"
        print x="foo" | as T | search "foo"
        "#,
        ),
    );
}

#[test]
fn named_rows() {
    check(
        "named_rows",
        &told(
            r#"
        datatable(a:long,s:string)[1,"x y",2,"z"] | as Q | search "x"
        range a from 1 to 3 step 1 | as X | join kind=inner (X | project a, b=a*2) on a
        range a from 1 to 3 step 1 | as X | extend total=toscalar(X | summarize sum(a))
        range a from 1 to 3 step 1 | as hint.materialized=true X | union X | count
        range x from 1 to 2 step 1 | as T1 | union withsource=S (range x from 1 to 2 step 1 | as T2)
        union withsource=S (range x from 1 to 2 step 1 | as T1), (print x=5 | as T2)
        datatable(t:string,n:long)["start",1,"stop",1,"start",2] | as T | where t == "start" | join kind=inner (T | where t == "stop") on n
        let f = () { print z=1 | as Z }; f() | join Z on z
        print a=1 | as
        "#,
        ),
    );
}

#[test]
fn samples_and_tops() {
    check(
        "samples_and_tops",
        &told(
            r#"
        datatable(a:long,s:string)[1,"x",2,"z",3,"x"] | top-nested 1 of s by count()
        datatable(a:long,s:string)[1,"x",2,"z",3,"x"] | top-hitters 1 of s
        datatable(a:long,s:string)[1,"x",2,"z",3,"x"] | getschema
        print b=true,i=int(1),r=1.5,t=1h,g=guid(null),d=decimal(1),x=dynamic(1),dt=now(),s="" | getschema
        range a from 1 to 3 step 1 | getschema kind=csl
        range a from 1 to 3 step 1 | consume
        range a from 1 to 10 step 1 | sample 3 | count
        range a from 1 to 10 step 1 | extend b=a%3 | sample-distinct 2 of b | count
        datatable(id:string,t:long)["a",1,"a",2,"a",3,"b",4] | top-nested of id by Ignore0=max(1), top-nested 2 of t by Ignore1=max(t) | project-away Ignore*
        datatable(id:string,t:long)["a",1,"a",2,"b",5,"c",6] | top-nested 1 of id with others="rest" by sum(t)
        datatable(id:string,t:long)["a",1,"a",2,"b",5,"c",6] | top-nested 2 of id by count() asc
        datatable(id:string,t:long)["a",1,"a",2,"b",5] | top-nested 1 of bin(t,2) by n=count()
        datatable(id:string,t:long)["a",1,"a",2,"b",5] | top-nested 2 of id by x=count(), top-nested 2 of t by x=count()
        datatable(id:string,t:long)["a",1,"a",2,"b",5] | top-nested 2 of id by t
        datatable(id:string,t:long)["a",1,"a",2,"b",5] | top-hitters 1 of id by t
        datatable(id:string,t:real)["a",1.5,"a",2.5,"b",3] | top-hitters 2 of id by t
        datatable(id:string,t:int)["a",1,"a",2,"b",5] | top-hitters 2 of id by t
        datatable(id:string,t:long)["a",1,"a",2,"b",5] | top-hitters 1 of t+1
        datatable(id:string,t:long)["a",1] | top-hitters 1 of id by id
        print a=1 | sample 'x'
        print a=1 | sample-distinct 1 of a+1
        "#,
        ),
    );
}

#[test]
fn partitions_and_invoked_functions() {
    check(
        "partitions_and_invoked_functions",
        &told(
            r#"
        datatable(a:long,s:string)[1,"x",2,"z",3,"x"] | partition by s (top 1 by a)
        datatable(s:string,l:long)["x",1,"y",2,"x",3] | partition by s (summarize sum(l), n=count() by s)
        datatable(s:string,l:long)["x",1,"y",2,"x",3] | partition hint.strategy=native by s (extend n=row_number())
        datatable(s:string,l:long)["x",1,"y",2,"x",3] | partition by s (where l > 2)
        datatable(s:string,l:long)["x",1,"y",2,"x",3] | partition by s (as P | join kind=inner (P | summarize m=max(l) by s) on s | project s, l, m)
        range x from 1 to 70 step 1 | partition hint.strategy=shuffle by x (count) | count
        datatable(d:dynamic)[dynamic(1)] | partition by d (take 1)
        let f = (T:(l:long), n:long) { T | where l > n }; range l from 1 to 3 step 1 | invoke f(1)
        let f = (T:(l:long), n:long=2) { T | where l > n }; range l from 1 to 3 step 1 | invoke f()
        let f = (T:(*), n:long) { T | extend z = n }; print a=1 | invoke f(5)
        let f = (n:long) { print n }; print a=1 | invoke f(5)
        print a=1 | invoke nosuch()
        let f = (T:(l:string)) { T | count }; range l from 1 to 3 step 1 | invoke f()
        "#,
        ),
    );
}

/// Hands out only what it is asked for.
struct Sparing(MemoryTables);

impl Catalog for Sparing {
    fn schema(&self, table: &str) -> Option<Schema> {
        self.0.schema(table)
    }
}

impl Tables for Sparing {
    fn scan(&self, table: &str) -> Scan<'_> {
        self.0.scan(table)
    }

    fn scan_for<'a>(&'a self, table: &str, wanted: &Wanted) -> Scan<'a> {
        let columns = wanted.columns.clone();
        Box::new(self.0.scan(table).map(move |row| {
            let pairs = row?.into_iter().zip(&columns);
            Ok(pairs.map(|(value, wanted)| if *wanted { value } else { Value::Null }).collect())
        }))
    }
}

fn tables() -> MemoryTables {
    let row = |at: i64| {
        vec![
            Value::Long(at % 3),
            Value::from(match at % 3 {
                0 => "x=1;y=2",
                1 => "",
                _ => "x=z y",
            }),
            Value::Datetime(kql::UNIX_EPOCH + at * kql::MINUTE),
            match at % 4 {
                0 => Value::Null,
                1 => Value::from_json(serde_json::json!([at, "a", null])),
                2 => Value::from_json(serde_json::json!({"k": at, "l": [1]})),
                _ => Value::from_json(serde_json::json!([])),
            },
        ]
    };
    MemoryTables::new().with(
        "T",
        schema("l:long,s:string,t:datetime,d:dynamic"),
        (0..12).map(row).collect(),
    )
}

const STEPS: &[&str] = &[
    "serialize",
    "serialize n = row_number()",
    "sort by l asc, t asc",
    "take 7",
    "where l > 0",
    "where row_number() > 2",
    "extend p = prev(l), q = next(s, 2)",
    "extend c = row_cumsum(l, l == 0), r = row_rank_min(l)",
    "project l, s, d, t = prev(t)",
    "project-away t",
    "mv-expand d",
    "mv-expand with_itemindex=at x = d to typeof(long) limit 2",
    "mv-expand kind=array d",
    "mv-apply x = d on (where isnotnull(x) | summarize n = count())",
    "mv-apply d on (extend l = 5 | take 1)",
    "mv-apply x = d to typeof(long) on (top 1 by x | project y = x)",
    "parse s with * 'x=' x:long *",
    "parse s with 'x=' s ';' *",
    "parse-where s with 'x=' y ' ' *",
    "parse-kv s as (x:string, y:long) with (pair_delimiter=';', kv_delimiter='=')",
    "as A",
    "union A",
    "join kind=inner (A | project l, z = 1) on l",
    "search 'x' or l == 1",
    "top-nested 2 of l by count(), top-nested of s by sum(l)",
    "top-hitters 2 of s by l",
    "partition by l (as P | where l < 2 | extend i = row_number())",
    "partition hint.strategy=native by s (summarize m = max(l) by s)",
    "sample 5",
    "sample-distinct 2 of s",
    "summarize n = count(), m = make_list(prev(l)) by s",
    "getschema",
    "distinct s, l",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Values have their columns' types, and rows are the same where tables hand out only what is asked for.
    #[test]
    fn steps_go_together(steps in prop::collection::vec(prop::sample::select(STEPS), 1..7)) {
        let query = format!("T | {}", steps.join(" | "));
        let sparing = Sparing(tables());
        if let Ok(plan) = kql::bind(&query, &sparing.0, 0) {
            let rows: Vec<_> = plan.run(&sparing.0).map(Result::unwrap).collect();
            for row in &rows {
                prop_assert_eq!(row.len(), plan.schema().columns.len());
                for (value, column) in row.iter().zip(&plan.schema().columns) {
                    prop_assert!(value.ty().is_none_or(|ty| ty == column.ty), "{}: {:?}", column.name, value);
                    prop_assert!(column.ty != Type::String || !value.is_null(), "{}", column.name);
                }
            }
            let spared: Vec<_> = plan.run(&sparing).map(Result::unwrap).collect();
            prop_assert_eq!(rows, spared);
        }
    }
}

#[test]
fn what_grows_is_bounded() {
    let tables = MemoryTables::new();
    let small = Limits { rows: 1_000, bytes: 1 << 20, work: 10_000 };
    for (query, code) in [
        ("range a from 1 to 100 step 1 | extend d = range(1, 1000, 1) | mv-expand d", "KQL012"),
        (
            "range a from 1 to 100 step 1 | extend d = range(1, 1000, 1) | mv-apply d on (count)",
            "KQL012",
        ),
        ("range a from 1 to 5000 step 1 | extend b = next(a, 4000)", "KQL012"),
        ("range a from 1 to 5000 step 1 | extend b = prev(a, 4000)", "KQL012"),
        ("range a from 1 to 5000 step 1 | partition hint.strategy=native by a (count)", "KQL012"),
        ("range a from 1 to 5000 step 1 | top-nested of a by count()", "KQL012"),
        ("range a from 1 to 70 step 1 | partition by a (count)", "KQL013"),
    ] {
        let Ok(plan) = kql::bind(query, &tables, 0) else { continue };
        let error = plan.with_limits(small).run(&tables).find_map(Result::err);
        let plan = kql::bind(query, &tables, 0).unwrap();
        assert_eq!(error.map(|e| e.code()), Some(code), "{query}");
        assert!(plan.run(&tables).all(|row| row.is_ok()) || code == "KQL013", "{query}");
    }
    // Names for rows double with each step; an operator too many is said before it is run.
    let doubling =
        (0..40).fold("print a = 1".to_owned(), |q, n| format!("{q} | as X{n} | union X{n}"));
    let found = kql::bind(&doubling, &tables, 0).unwrap_err();
    assert_eq!(found.iter().next().unwrap().code, kql::TOO_COMPLEX);
    let quotes =
        format!("print s = '{}' | parse-kv s as (a:string) with (quote='()')", "(".repeat(200_000));
    assert_eq!(run(&tables, &quotes).lines().count(), 2);
}
